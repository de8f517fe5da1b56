//! What is refused, and why.

use crate::credentials::credentials;
use crate::request::{AT, AT_TEXT, HEADER, How, ID, QUERY, Request, digest, file, said, verify};
use objseal_gateway::sigv4::{SignatureError, Verifier};
use std::mem::discriminant;
use std::time::Duration;

#[test]
fn a_signature_is_valid_for_its_time_and_no_second_longer() {
    let (expired, not_yet) = ("Signature expired", "Signature not yet current");
    let borders = |request: &Request, first: i64, last: i64| {
        for seconds in [first, 0, last] {
            assert_eq!(request.verify(seconds), Ok(ID.into()), "{seconds}");
        }
        assert!(said(request.verify(first - 1)).starts_with(not_yet));
        assert!(said(request.verify(last + 1)).starts_with(expired));
    };
    borders(&Request::example().signed(HEADER), -300, 300);
    for expires in [1, 60, 604_800] {
        let request = Request::example().signed(How { expires: Some(expires), ..QUERY });
        borders(&request, -300, expires.try_into().expect("a week"));
    }
    for expires in [0, 604_801] {
        let request = Request::example().signed(How { expires: Some(expires), ..QUERY });
        assert_eq!(said(request.verify(0)), "X-Amz-Expires is 1 to 604800 seconds.");
    }
    for expires in ["", "+60", "-1", "6e1", "99999999999999999999", " 60"] {
        let mut request = Request::example().signed(QUERY);
        request.target =
            request.target.replace("X-Amz-Expires=60", &format!("X-Amz-Expires={}", expires.replace(' ', "%20")));
        assert_eq!(said(request.verify(0)), "X-Amz-Expires is 1 to 604800 seconds.", "{expires:?}");
    }
}

#[test]
fn a_signature_is_for_one_service_in_one_region_on_one_day() {
    for how in [HEADER, QUERY] {
        let scope = |what: &'static str, expected: &str| Err(SignatureError::Scope { what, expected: expected.into() });
        let other = Request::example().signed(How { region: "eu-west-1", ..how }).verify(0);
        assert_eq!(other, scope("region", "us-east-1"));
        assert_eq!(Request::example().signed(How { service: "s3", ..how }).verify(0), scope("service", "kms"));
    }
    let plain = || Request::of("POST", "/", &[], b"{}");
    let names = "content-type;host;x-amz-date;x-amz-target";
    assert_eq!(
        plain().signed_by_hand(names, ("20150830", AT)).verify(0),
        Ok(ID.into()),
        "what is signed by hand is right"
    );
    for (day, seconds) in [("20150829", AT.as_secs() - 86_400), ("20150831", AT.as_secs() + 86_400)] {
        let other = plain().signed_by_hand(names, (day, Duration::from_secs(seconds))).verify(0);
        assert_eq!(other, Err(SignatureError::Scope { what: "date", expected: "20150830".into() }));
    }
}

#[test]
fn headers_that_decide_are_signed_and_there_once() {
    let today = ("20150830", AT);
    let plain = || Request::of("POST", "/", &[], b"{}");
    let all = "content-type;host;x-amz-date;x-amz-target";
    let not_signed = |name: &str| Err(SignatureError::NotSigned(name.into()));
    let twice = |name: &str| Err(SignatureError::Twice(name.into()));

    let without_host = plain().signed_by_hand("content-type;x-amz-date;x-amz-target", today);
    assert_eq!(without_host.verify(0), not_signed("host"));
    let without_target = plain().signed_by_hand("content-type;host;x-amz-date", today);
    assert_eq!(without_target.verify(0), not_signed("x-amz-target"));
    assert_eq!(plain().signed_by_hand("host;x-amz-target", today).verify(0), not_signed("x-amz-date"));
    for how in [HEADER, QUERY] {
        for name in ["x-objseal-principal", "x-objseal-object", "x-amz-anything"] {
            assert_eq!(plain().signed(how).with(name, "more").verify(0), not_signed(name));
        }
        assert_eq!(plain().signed(how).with("user-agent", "anything").verify(0), Ok(ID.into()));
    }
    for (name, value) in [("x-amz-target", "TrentService.Encrypt"), ("host", "another"), ("content-type", "text/plain")]
    {
        assert_eq!(plain().with(name, value).signed_by_hand(all, today).verify(0), twice(name));
    }
    let dates = plain().with("x-amz-date", AT_TEXT).with("x-amz-date", AT_TEXT).signed_by_hand(all, today);
    assert_eq!(dates.verify(0), twice("x-amz-date"));
    let signed = plain().signed(HEADER);
    let authorization = signed.value("authorization");
    assert_eq!(signed.with("authorization", authorization).verify(0), twice("authorization"));
    // Several spaces are signed as one: where they would decide something they are refused.
    let spaces = |name: &str| plain().with(name, "a  b").signed(HEADER).verify(0);
    assert_eq!(said(spaces("x-objseal-object")), "The header 'x-objseal-object' has several spaces in a row.");
    assert_eq!(spaces("x-words"), Ok(ID.into()));
    // Others may be there twice: both are signed.
    let words = "content-type;host;x-amz-date;x-amz-target;x-words";
    let both = plain().with("x-words", "a").with("x-words", "b").signed_by_hand(words, today);
    assert_eq!(both.verify(0), Ok(ID.into()));
    assert_eq!(both.instead("x-words", "b").verify(0), Err(SignatureError::Mismatch));
}

#[test]
fn what_is_not_written_as_a_signature_is_none() {
    let today = ("20150830", AT);
    let plain = || Request::of("POST", "/", &[], b"{}");
    let order = "SignedHeaders are small letters, sorted, each once.";
    for names in [
        "host;content-type;x-amz-date;x-amz-target",
        "Content-Type;host;x-amz-date;x-amz-target",
        "content-type;host;host;x-amz-date;x-amz-target",
        "content-type;host;x-amz-date;x-amz-target;",
    ] {
        assert_eq!(said(plain().signed_by_hand(names, today).verify(0)), order, "{names}");
    }
    let absent = plain().signed_by_hand("content-type;host;x-absent;x-amz-date;x-amz-target", today);
    assert_eq!(said(absent.verify(0)), "The signed header 'x-absent' is not there.");

    let signed = plain().signed(HEADER);
    let authorization = signed.value("authorization");
    for (from, to, expected) in [
        ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA512 ", "The algorithm of a signature is AWS4-HMAC-SHA256."),
        ("AWS4-HMAC-SHA256 ", "", "The algorithm of a signature is AWS4-HMAC-SHA256."),
        ("Credential=", "Credential:", "Authorization requires 'Credential'."),
        ("SignedHeaders=", "Headers=", "Authorization requires 'SignedHeaders'."),
        ("Signature=", "signature=", "Authorization requires 'Signature'."),
        ("Signature=", "Signature=0", "A signature is 64 hexadecimal digits of small letters."),
        ("Signature=", "Signature=0, Signature=", "Authorization header has 'Signature' twice."),
        ("/aws4_request", "", "A credential is KEY/DATE/REGION/SERVICE/aws4_request."),
        ("/aws4_request", "/aws5_request", "A credential is KEY/DATE/REGION/SERVICE/aws4_request."),
    ] {
        let changed = signed.clone().instead("authorization", authorization.replacen(from, to, 1));
        assert_eq!(said(changed.verify(0)), expected, "{from} {to}");
    }
    let capitals = authorization.rsplit_once('=').map(|(before, bytes)| format!("{before}={}", bytes.to_uppercase()));
    let capitals = signed.clone().instead("authorization", capitals.expect("a signature"));
    assert_eq!(said(capitals.verify(0)), "A signature is 64 hexadecimal digits of small letters.");
    let date = signed.clone().instead("x-amz-date", "2015-08-30T12:36Z");
    assert_eq!(said(date.verify(0)), "Date must be in ISO-8601 'basic format'.");

    // Bytes that are no text.
    let not_text = |name: &str, value: &[u8]| signed.clone().instead(name, value).verify(0);
    assert_eq!(said(not_text("authorization", b"\xff")), "The header 'authorization' is not text.");
    assert_eq!(said(not_text("x-amz-date", b"\xff")), "The header 'x-amz-date' is not text.");
    assert_eq!(not_text("x-amz-target", b"TrentService.\xc3\xa9"), Err(SignatureError::Mismatch));
    for query in ["%zz", "%f", "%", "%ff=1"] {
        let request = Request { target: format!("/?{query}"), ..signed.clone() };
        assert_eq!(said(request.verify(0)), "The query string is not percent-encoded UTF-8.", "{query}");
    }
    let request = Request { target: "/?a=1&a=2".into(), ..signed.clone() };
    assert_eq!(said(request.verify(0)), "A parameter of the query string is there twice.");

    // A digest of another body, and of none.
    for said_digest in [digest(b"{ }"), "UNSIGNED-PAYLOAD".into()] {
        let request = plain().with("x-amz-content-sha256", said_digest).signed(HEADER);
        assert_eq!(said(request.verify(0)), "x-amz-content-sha256 is not the digest of the body.");
    }
    assert_eq!(plain().with("x-amz-content-sha256", digest(b"{}")).signed(HEADER).verify(0), Ok(ID.into()));
}

#[test]
fn a_request_is_signed_once_and_by_somebody() {
    let plain = || Request::of("POST", "/", &[], b"{}");
    assert_eq!(plain().verify(0), Err(SignatureError::Missing));
    let both = "A request is signed in its header or in its query, not in both.";
    assert_eq!(said(plain().signed(QUERY).signed(HEADER).verify(0)), both);
    let more = Request { target: "/?X-Amz-Signature=0".into(), ..plain() };
    assert_eq!(said(more.signed(HEADER).verify(0)), both);
    for how in [HEADER, QUERY] {
        let unknown = plain().signed(How { id: "KEYOFNOBODY00000", ..how });
        assert_eq!(unknown.verify(0), Err(SignatureError::UnknownKey));
        assert_eq!(plain().signed(How { id: "", ..how }).verify(0), Err(SignatureError::UnknownKey));
        let session = plain().signed(How { token: Some("a-token-of-a-session"), ..how });
        assert_eq!(session.verify(0), Err(SignatureError::UnknownKey));
        let other = plain().signed(How { secret: "another secret of the tests", ..how });
        assert_eq!(other.verify(0), Err(SignatureError::Mismatch));
    }
}

#[test]
fn a_secret_that_begins_as_another_is_another() {
    let (short, long) = ("KEYWITHASHORTONE", "KEYWITHALONGONE0");
    let secrets = [(short, "sixteen letters."), (long, "sixteen letters.and more")];
    let (verifier, credentials) = (Verifier::new("us-east-1", "kms"), credentials(&file(&secrets)));
    for (id, secret, expected) in [
        (short, secrets[0].1, Ok(short.into())),
        (long, secrets[1].1, Ok(long.into())),
        (short, secrets[1].1, Err(SignatureError::Mismatch)),
        (long, secrets[0].1, Err(SignatureError::Mismatch)),
        (short, "", Err(SignatureError::Mismatch)),
    ] {
        let request = Request::example().signed(How { id, secret, ..HEADER });
        let parts = request.parts().expect("a request");
        let outcome = verify(&verifier, &parts, &request.body, &credentials, 0);
        assert_eq!(outcome.as_ref().map_err(discriminant), expected.as_ref().map_err(discriminant), "{id} {secret}");
    }
}
