//! PKCS #11 URIs (RFC 7512), of which the parts that name a token, a secret key, a module and a file with a PIN are
//! known.

use super::error::TokenError;
use super::options::TokenOptions;
use std::fmt;
use std::path::PathBuf;

/// What is wrong with a PKCS #11 URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriFault {
    /// It does not begin with `pkcs11:`.
    Scheme,
    /// An attribute is not a name, `=` and a value.
    NoValue,
    /// A value has a character that must be percent-encoded.
    Character,
    /// A percent sign without two hexadecimal digits behind it, or bytes that are not UTF-8, or a NUL.
    Escape,
    /// The attribute is not known. RFC 7512, section 2.3, has it refused rather than passed over.
    Unknown,
    /// The attribute is there twice.
    Twice,
    /// The attribute does not have such a value.
    Value,
    /// A PIN in a URI is seen by everybody who sees the URI.
    PinInClear,
    /// There is no `module-path`.
    NoModule,
}

impl fmt::Display for UriFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "it does not begin with \"pkcs11:\"",
            Self::NoValue => "not a name, \"=\" and a value",
            Self::Character => "a character that is to be percent-encoded",
            Self::Escape => "not the percent-encoding of UTF-8 text",
            Self::Unknown => "not an attribute that is known here",
            Self::Twice => "given twice",
            Self::Value => "not a value that it can have",
            Self::PinInClear => "a PIN is not given in a URI; pin-source names a file",
            Self::NoModule => "module-path is missing",
        })
    }
}

/// Reads a URI.
pub(super) fn parse(uri: &str) -> Result<TokenOptions, TokenError> {
    let fault = |attribute: &str, fault| TokenError::Uri { attribute: attribute.into(), fault };
    // RFC 3986, section 3.1: schemes have no case.
    let (scheme, rest) = uri.split_once(':').ok_or_else(|| fault("", UriFault::Scheme))?;
    if !scheme.eq_ignore_ascii_case("pkcs11") {
        return Err(fault("", UriFault::Scheme));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut found = Found::default();
    for (part, separator, allowed) in [(path, ';', IN_PATH), (query, '&', IN_QUERY)] {
        for attribute in part.split(separator).filter(|_| !part.is_empty()) {
            let (name, value) =
                attribute.split_once('=').ok_or_else(|| fault(name_in(attribute), UriFault::NoValue))?;
            let value = decode(value, allowed).map_err(|reason| fault(name, reason))?;
            let taken = if separator == ';' { found.take_path(name, value) } else { found.take_query(name, value) };
            taken.map_err(|reason| fault(name, reason))?;
        }
    }
    found.options().ok_or_else(|| fault("", UriFault::NoModule))
}

/// The name that an attribute begins with: what follows could be a PIN, which no error shows.
fn name_in(attribute: &str) -> &str {
    let end = attribute.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    end.and_then(|end| attribute.get(..end)).unwrap_or(attribute)
}

/// The attributes that were found, each of them at most once.
#[derive(Default)]
struct Found {
    token: Option<String>,
    serial: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    slot: Option<u64>,
    class: Option<()>,
    object: Option<String>,
    module: Option<PathBuf>,
    pin_file: Option<PathBuf>,
}

impl Found {
    fn take_path(&mut self, name: &str, value: String) -> Result<(), UriFault> {
        match name {
            "token" => put(&mut self.token, value),
            "serial" => put(&mut self.serial, value),
            "manufacturer" => put(&mut self.manufacturer, value),
            "model" => put(&mut self.model, value),
            "slot-id" => {
                let digits = value.bytes().all(|digit| digit.is_ascii_digit());
                put(&mut self.slot, value.parse().ok().filter(|_| digits).ok_or(UriFault::Value)?)
            }
            "object" => put(&mut self.object, value),
            "type" if value == "secret-key" => put(&mut self.class, ()),
            "type" => Err(UriFault::Value),
            _ => Err(UriFault::Unknown),
        }
    }

    fn take_query(&mut self, name: &str, value: String) -> Result<(), UriFault> {
        match name {
            "module-path" => put(&mut self.module, absolute(&value)?),
            "pin-source" => put(&mut self.pin_file, pin_file(&value)?),
            "pin-value" => Err(UriFault::PinInClear),
            _ => Err(UriFault::Unknown),
        }
    }

    /// Without a module there is nothing to open.
    fn options(self) -> Option<TokenOptions> {
        let mut options = TokenOptions::new(self.module?);
        options.selection.label = self.token;
        options.selection.serial = self.serial;
        options.selection.manufacturer = self.manufacturer;
        options.selection.model = self.model;
        options.selection.slot = self.slot;
        options.key = self.object;
        Some(match self.pin_file {
            Some(path) => options.with_pin_file(path),
            None => options,
        })
    }
}

fn put<T>(place: &mut Option<T>, value: T) -> Result<(), UriFault> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(UriFault::Twice),
    }
}

fn absolute(path: &str) -> Result<PathBuf, UriFault> {
    Some(PathBuf::from(path)).filter(|path| path.is_absolute()).ok_or(UriFault::Value)
}

/// A path, or a `file:` URI without an authority (RFC 8089). Programs that print a PIN, which begin with `|`, are not
/// run.
fn pin_file(value: &str) -> Result<PathBuf, UriFault> {
    let Some(path) = value.strip_prefix("file:") else { return absolute(value) };
    // A percent sign would have to be read once more, which some readers of such URIs do and others do not.
    if path.contains('%') {
        return Err(UriFault::Value);
    }
    let path = path.strip_prefix("//").unwrap_or(path);
    absolute(path)
}

/// What stands for itself in a value, besides letters, digits and `-._~` (RFC 7512, section 2.3).
const IN_PATH: &[u8] = b":[]@!$'()*+,=&";
const IN_QUERY: &[u8] = b":[]@!$'()*+,=/?|";

fn decode(value: &str, allowed: &[u8]) -> Result<String, UriFault> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let (high, low) = digit().zip(digit()).ok_or(UriFault::Escape)?;
                high << 4 | low
            }
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || allowed.contains(&byte) => byte,
            _ => return Err(UriFault::Character),
        });
    }
    String::from_utf8(decoded).ok().filter(|text| !text.contains('\0')).ok_or(UriFault::Escape)
}
