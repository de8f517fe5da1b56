//! What is signed rightly is verified, and nothing of it can be changed.

use crate::credentials::credentials;
use crate::random::Random;
use crate::request::{AT, HEADER, ID, QUERY, Request, SECRET, file, one, verify};
use objseal_gateway::sigv4::{SignatureError, Verifier};
use std::time::{Duration, SystemTime};

#[test]
fn the_examples_of_the_documentation_are_verified() {
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const WELCOME: &str = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    const S3: [(&str, &str); 2] = [("host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z")];
    type Example = (
        &'static str,
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
        &'static str,
    );
    // IAM User Guide, "Create a signed AWS API request": ListUsers. AKIDEXAMPLE is longer here: it is not signed.
    // S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk".
    let examples: [Example; 5] = [
        (
            "iam",
            "GET",
            "/?Action=ListUsers&Version=2010-05-08",
            &[
                ("host", "iam.amazonaws.com"),
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("x-amz-date", "20150830T123600Z"),
            ],
            "",
            "content-type;host;x-amz-date",
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
        (
            "s3",
            "GET",
            "/test.txt",
            &[S3[0], S3[1], ("range", "bytes=0-9"), ("x-amz-content-sha256", EMPTY)],
            "",
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "s3",
            "PUT",
            "/test$file.text",
            &[
                S3[0],
                S3[1],
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-content-sha256", WELCOME),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            "Welcome to Amazon S3.",
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "s3",
            "GET",
            "/?lifecycle",
            &[S3[0], S3[1], ("x-amz-content-sha256", EMPTY)],
            "",
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "s3",
            "GET",
            "/?max-keys=2&prefix=J",
            &[S3[0], S3[1], ("x-amz-content-sha256", EMPTY)],
            "",
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ];
    for (service, method, target, headers, body, names, signature) in examples {
        let (id, secret, day, seconds) = match service {
            "iam" => ("AKIDEXAMPLE00000", SECRET, "20150830", AT.as_secs()),
            _ => ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", 1_369_353_600),
        };
        let scope = format!("{id}/{day}/us-east-1/{service}/aws4_request");
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}");
        let request = Request { method, target: target.into(), headers: Vec::new(), body: body.into() };
        let request = headers.iter().fold(request, |request, (name, value)| request.with(name, value));
        let parts = request.with("authorization", authorization).parts().expect("a request");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let credentials = credentials(&file(&[(id, secret)]));
        let verified = Verifier::new("us-east-1", service).verify(&parts, body.as_bytes(), &credentials, now);
        assert_eq!(verified.map(|credential| &*credential.access_key_id), Ok(id), "{service} {method} {target}");
    }
}

#[test]
fn whatever_the_signer_of_aws_signs_is_verified() {
    let (verifier, good) = (Verifier::new("us-east-1", "kms"), one());
    let bad = credentials(&file(&[(ID, "another secret of the tests")]));
    let mut random = Random(0x5eed_0b5e_a1ed_5eed);
    for round in 0..2_000 {
        let how = if round % 2 == 0 { HEADER } else { QUERY };
        let request = random.request();
        let signed = request.clone().signed(how);
        let parts = signed.parts().expect("a request");
        let told = || format!("{round}: {} {:?} {}", signed.method, signed.target, signed.headers.len());
        assert_eq!(verify(&verifier, &parts, &signed.body, &good, 0), Ok(ID.into()), "{}", told());
        let mismatch = verify(&verifier, &parts, &signed.body, &bad, 0);
        assert_eq!(mismatch, Err(SignatureError::Mismatch), "{}", told());
    }
}

#[test]
fn no_byte_can_be_changed() {
    let (verifier, credentials) = (Verifier::new("us-east-1", "kms"), one());
    for how in [HEADER, QUERY] {
        let signed = Request::example().signed(how);
        assert_eq!(signed.verify(0), Ok(ID.into()));
        let mut tried = 0;
        let mut refused = |changed: &Request, what: &str| {
            // HTTP knows no such text.
            let Some(parts) = changed.parts() else { return };
            tried += 1;
            let outcome = verify(&verifier, &parts, &changed.body, &credentials, 0);
            assert!(outcome.is_err(), "{what}: {}, {:?}", changed.target, changed.headers);
        };
        for mask in [0x01, 0x02, 0x20, 0x40] {
            for (header, (name, value)) in signed.headers.iter().enumerate() {
                for at in 0..value.len() {
                    let mut changed = signed.clone();
                    changed.headers[header].1[at] ^= mask;
                    refused(&changed, &format!("{name}, byte {at}"));
                }
            }
            for at in 0..signed.target.len() {
                let mut bytes = signed.target.clone().into_bytes();
                bytes[at] ^= mask;
                // A percent sign takes digits of both sizes.
                let digit = at > signed.target.find('?').expect("a query")
                    && (signed.target.as_bytes()[at - 1] == b'%' || signed.target.as_bytes()[at - 2] == b'%');
                let Ok(target) = String::from_utf8(bytes) else { continue };
                if !(digit && target.eq_ignore_ascii_case(&signed.target)) {
                    refused(&Request { target, ..signed.clone() }, &format!("target, byte {at}"));
                }
            }
            for at in 0..signed.body.len() {
                let mut changed = signed.clone();
                changed.body[at] ^= mask;
                refused(&changed, &format!("body, byte {at}"));
            }
        }
        for at in 0..signed.headers.len() {
            let mut changed = signed.clone();
            let (name, _) = changed.headers.remove(at);
            refused(&changed, &format!("without {name}"));
        }
        for body in [&signed.body[1..], &signed.body[..signed.body.len() - 1], &[&signed.body[..], b" "].concat(), b""]
        {
            refused(&Request { body: body.into(), ..signed.clone() }, "another body");
        }
        refused(&Request { method: "PUT", ..signed.clone() }, "another method");
        refused(&Request { target: format!("{}&c=3", signed.target), ..signed.clone() }, "another parameter");
        refused(&Request { target: format!("/{}", signed.target), ..signed.clone() }, "another path");
        assert!(tried > 1_000, "{tried} changes");
    }
}
