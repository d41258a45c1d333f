//! Forms with files, as browsers send them (RFC 7578): parts between lines of a boundary, each with a small head.
//!
//! Only what forms of ours need: fields that are text, and files that are kept as bytes. A file's name is what the sender
//! says it is called; it is shown, and used for telling a format, and never for a path.

use std::sync::Arc;

use crate::query::Query;

/// How many parts a form has at most, and how long the head of a part is.
const PARTS_MAX: usize = 64;
const HEAD_MAX_BYTES: usize = 8 * 1024;
/// How much of a file's name is kept, in characters.
const NAME_MAX: usize = 200;

/// A file that was sent with a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// The form's field.
    pub(crate) field: String,
    /// What the sender calls it.
    pub(crate) name: String,
    pub(crate) bytes: Arc<[u8]>,
}

/// The boundary that a media type names, if it is that of a form with files.
pub(crate) fn boundary(media_type: &str) -> Option<String> {
    let (essence, parameters) = media_type.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let boundary = named
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value)
        .next()?;
    let boundary = boundary.trim().trim_matches('"');
    // RFC 2046 §5.1.1: 1 to 70 characters.
    (1..=70).contains(&boundary.len()).then(|| boundary.to_owned())
}

/// Reads a form. `None` if it is not one, or ends before its end.
pub(crate) fn read(body: &[u8], boundary: &str) -> Option<(Query, Vec<File>)> {
    let delimiter = format!("\r\n--{boundary}");
    let opening = &delimiter[2..];
    let mut rest = body.strip_prefix(opening.as_bytes())?;
    let (mut fields, mut files) = (Query::default(), Vec::new());
    for _ in 0..PARTS_MAX {
        if rest.starts_with(b"--") {
            return Some((fields, files));
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let head_ends = find(&rest[..rest.len().min(HEAD_MAX_BYTES)], b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&rest[..head_ends]).into_owned();
        rest = &rest[head_ends + 4..];
        let ends = find(rest, delimiter.as_bytes())?;
        let content = &rest[..ends];
        rest = &rest[ends + delimiter.len()..];
        let (field, name) = disposition(&head)?;
        match name {
            Some(name) => {
                files.push(File {
                    field,
                    name: name.chars().take(NAME_MAX).collect(),
                    bytes: content.into(),
                });
            }
            None => fields.add(field, String::from_utf8_lossy(content).into_owned()),
        }
    }
    None
}

/// The name of the field, and of the file if it is one, of a part's head.
fn disposition(head: &str) -> Option<(String, Option<String>)> {
    let line = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let mut parameters = line.split_once(';')?.1;
    let (mut field, mut file) = (None, None);
    while let Some((name, after)) = parameters.split_once('=') {
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(';').unwrap_or((after, "")),
        };
        // HTML §4.10.21.8: browsers write a quote and line ends as these.
        let value = value.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n");
        match name.trim_matches([';', ' ']) {
            "name" => field = Some(value),
            "filename" => file = Some(value),
            _ => {}
        }
        parameters = next;
    }
    Some((field?, file))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    // The first byte is looked for quickly; files are megabytes.
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == wanted[0]) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] = b"--x\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nabc\r\n--x\r\n\
        content-disposition: form-data; name=\"file\"; filename=\"a;%22b=c.csv\"\r\nContent-Type: text/csv\r\n\r\n1,2\r\n--y\r\n\r\n--x--\r\n";

    #[test]
    fn fields_and_files_are_told_apart() {
        let (fields, files) = read(FORM, "x").unwrap();
        assert_eq!(fields.get("token"), Some("abc"));
        assert_eq!(files.len(), 1);
        assert_eq!((files[0].field.as_str(), files[0].name.as_str()), ("file", "a;\"b=c.csv"));
        assert_eq!(&*files[0].bytes, b"1,2\r\n--y\r\n");
    }

    #[test]
    fn what_is_no_whole_form_is_refused() {
        for length in 0..FORM.len() - 4 {
            assert_eq!(read(&FORM[..length], "x"), None, "{length}");
        }
        assert_eq!(read(FORM, "y"), None);
        let many = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n".repeat(PARTS_MAX + 1);
        assert_eq!(read(&[&many[..], b"--x--\r\n"].concat(), "x"), None);
    }

    #[test]
    fn the_boundary_is_that_of_a_form() {
        let cases = [
            ("multipart/form-data; boundary=----a1", Some("----a1")),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"b c\"", Some("b c")),
            ("multipart/form-data", None),
            ("multipart/mixed; boundary=a", None),
            ("multipart/form-data; boundary=", None),
        ];
        for (media_type, want) in cases {
            assert_eq!(boundary(media_type).as_deref(), want, "{media_type}");
        }
    }
}
