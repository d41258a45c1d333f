//! Cookies: read, and written so that scripts, other sites and other hosts do not get at them.

use http::HeaderMap;
use http::header::COOKIE;

/// Holds who is signed in.
pub(crate) const SESSION: &str = "ringfence";
/// Holds what the form for signing in is bound to.
pub(crate) const BEFORE: &str = "ringfence-before";
/// Holds a sign-in by the provider that has begun.
pub(crate) const ATTEMPT: &str = "ringfence-attempt";

/// The cookie of a name. Over an encrypted connection the name has the prefix by which browsers know that it is of this
/// host, for all paths, and encrypted only (RFC 6265bis §4.1.3.2).
pub(crate) fn read<'h>(headers: &'h HeaderMap, name: &str, is_encrypted: bool) -> Option<&'h str> {
    let name = full_name(name, is_encrypted);
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then_some(value)
    })
}

/// A `Set-Cookie` value. Without `seconds` it lasts as long as the browser runs; with 0 it is taken away.
pub(crate) fn write(name: &str, value: &str, seconds: Option<u64>, is_encrypted: bool) -> String {
    let name = full_name(name, is_encrypted);
    let secure = if is_encrypted { "; Secure" } else { "" };
    let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    // Lax and not Strict: a link in a message has to open the page that it names. Forms have tokens besides.
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}")
}

fn full_name(name: &str, is_encrypted: bool) -> String {
    if is_encrypted { format!("__Host-{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_a_plain_connection_is_none_of_an_encrypted_one() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; ringfence=plain".parse().unwrap());
        headers.append(COOKIE, "__Host-ringfence=sealed".parse().unwrap());
        assert_eq!(read(&headers, SESSION, false), Some("plain"));
        assert_eq!(read(&headers, SESSION, true), Some("sealed"));
        assert_eq!(read(&headers, BEFORE, true), None);
    }

    #[test]
    fn no_script_and_no_other_site_gets_a_cookie() {
        assert_eq!(
            write(SESSION, "x", None, true),
            "__Host-ringfence=x; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            write(SESSION, "", Some(0), false),
            "ringfence=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }
}
