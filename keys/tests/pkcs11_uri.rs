//! PKCS #11 URIs: RFC 7512, sections 2.3 and 3.

use objseal_keys::pkcs11::{TokenError, TokenOptions, UriFault};
use zeroize::Zeroizing;

const MODULE: &str = "/usr/lib/libtoken.so";

/// The attributes of a path before a query that names the module.
fn parsed(path: &str) -> Result<String, (String, UriFault)> {
    shown(&format!("pkcs11:{path}?module-path={MODULE}"))
}

fn shown(uri: &str) -> Result<String, (String, UriFault)> {
    TokenOptions::from_uri(uri).map(|options| format!("{options:?}")).map_err(|error| match error {
        TokenError::Uri { attribute, fault } => (attribute, fault),
        other => panic!("{uri}: {other}"),
    })
}

fn same(path: &str, options: TokenOptions) {
    assert_eq!(parsed(path), Ok(format!("{options:?}")), "{path}");
}

#[test]
fn attributes_say_the_same_as_options() {
    let any = || TokenOptions::new(MODULE);
    same("", any());
    same("token=vault", any().with_token("vault"));
    same("serial=DECC0401648", any().with_serial("DECC0401648"));
    same("slot-id=327", any().with_slot(327));
    same("object=my-key;type=secret-key;token=t", any().with_token("t").with_key("my-key"));
    // The example of RFC 7512 with spaces; a plus is one.
    same("token=The%20Software%20PKCS%2311%20Softtoken", any().with_token("The Software PKCS#11 Softtoken"));
    same("token=a+b", any().with_token("a+b"));
    same("token=%c3%A9%3b%25", any().with_token("é;%"));
    same("token=-._~:[]@!$'()*+,=&", any().with_token("-._~:[]@!$'()*+,=&"));
    let pin = |source: &str| shown(&format!("PKCS11:token=t?pin-source={source}&module-path={MODULE}"));
    let expected = format!("{:?}", any().with_token("t").with_pin_file("/etc/my pin"));
    for source in ["/etc/my%20pin", "file:/etc/my%20pin", "file:///etc/my%20pin"] {
        assert_eq!(pin(source), Ok(expected.clone()), "{source}");
    }
    for (attribute, field) in
        [("manufacturer=Snake%20Oil", "manufacturer: Some(\"Snake Oil\")"), ("model=1.0", "model: Some(\"1.0\")")]
    {
        assert!(parsed(attribute).expect("known").contains(field));
    }
}

#[test]
fn what_is_not_understood_is_refused_and_named() {
    let cases = [
        ("pkcs12:token=x?module-path=/m", "", UriFault::Scheme),
        ("token=x", "", UriFault::Scheme),
        ("", "", UriFault::Scheme),
        ("pkcs11:token=x", "", UriFault::NoModule),
        ("pkcs11:token?module-path=/m", "token", UriFault::NoValue),
        ("pkcs11:?pin-value:73519", "pin-value", UriFault::NoValue),
        ("pkcs11:token=x;?module-path=/m", "", UriFault::NoValue),
        ("pkcs11:token=x?module-path=/m&", "", UriFault::NoValue),
        ("pkcs11:token=a/b?module-path=/m", "token", UriFault::Character),
        ("pkcs11:token=a b?module-path=/m", "token", UriFault::Character),
        ("pkcs11:token=é?module-path=/m", "token", UriFault::Character),
        ("pkcs11:token=x?module-path=/m#f", "module-path", UriFault::Character),
        ("pkcs11:token=%4?module-path=/m", "token", UriFault::Escape),
        ("pkcs11:token=%?module-path=/m", "token", UriFault::Escape),
        ("pkcs11:token=%+1?module-path=/m", "token", UriFault::Escape),
        ("pkcs11:token=%ff?module-path=/m", "token", UriFault::Escape),
        ("pkcs11:token=a%00?module-path=/m", "token", UriFault::Escape),
        ("pkcs11:id=%01?module-path=/m", "id", UriFault::Unknown),
        ("pkcs11:Token=x?module-path=/m", "Token", UriFault::Unknown),
        ("pkcs11:library-version=3?module-path=/m", "library-version", UriFault::Unknown),
        ("pkcs11:module-path=%2Fm", "module-path", UriFault::Unknown),
        ("pkcs11:?token=x&module-path=/m", "token", UriFault::Unknown),
        ("pkcs11:?module-name=softhsm", "module-name", UriFault::Unknown),
        ("pkcs11:?module-path=/m&vendor-x=1", "vendor-x", UriFault::Unknown),
        ("pkcs11:token=x;token=x?module-path=/m", "token", UriFault::Twice),
        ("pkcs11:type=secret-key;type=secret-key?module-path=/m", "type", UriFault::Twice),
        ("pkcs11:?module-path=/m&module-path=/m", "module-path", UriFault::Twice),
        ("pkcs11:type=private?module-path=/m", "type", UriFault::Value),
        ("pkcs11:slot-id=x?module-path=/m", "slot-id", UriFault::Value),
        ("pkcs11:slot-id=?module-path=/m", "slot-id", UriFault::Value),
        ("pkcs11:slot-id=+1?module-path=/m", "slot-id", UriFault::Value),
        ("pkcs11:slot-id=18446744073709551616?module-path=/m", "slot-id", UriFault::Value),
        ("pkcs11:?module-path=m.so", "module-path", UriFault::Value),
        ("pkcs11:?module-path=/m&pin-source=pin", "pin-source", UriFault::Value),
        ("pkcs11:?module-path=/m&pin-source=file:pin", "pin-source", UriFault::Value),
        ("pkcs11:?module-path=/m&pin-source=file://host/pin", "pin-source", UriFault::Value),
        ("pkcs11:?module-path=/m&pin-source=file:/p%2541", "pin-source", UriFault::Value),
        ("pkcs11:?module-path=/m&pin-source=|/bin/sh", "pin-source", UriFault::Value),
        ("pkcs11:?module-path=/m&pin-value=1234", "pin-value", UriFault::PinInClear),
    ];
    for (uri, attribute, fault) in cases {
        assert_eq!(shown(uri), Err((attribute.to_owned(), fault)), "{uri}");
    }
}

#[test]
fn neither_options_nor_errors_show_a_pin() {
    let options = TokenOptions::new(MODULE).with_pin(Zeroizing::new("73519".into()));
    assert!(!format!("{options:?}").contains("73519"));
    let error = TokenOptions::from_uri("pkcs11:?module-path=/m&pin-value=73519").expect_err("refused");
    assert!(!format!("{error:?} {error}").contains("73519"));
}
