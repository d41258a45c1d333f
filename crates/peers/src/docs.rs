//! What the documentation tells people to write.

use std::fs;
use std::path::Path;

/// The first fenced block below a heading of a page in `docs/`.
///
/// ```text
/// ## Unbound
///
/// Text.
///
/// ```             <- from the line behind this one
/// server:
/// ```             <- to the line before this one
/// ```
///
/// # Panics
///
/// Panics if there is no such page, heading or block: then what people copy is not what is tested.
#[must_use]
pub fn snippet(page: &str, heading: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("docs/{page}: {error}"));
    below(&text, heading).unwrap_or_else(|| panic!("docs/{page} has no fenced block below `{heading}`"))
}

/// The first fenced block below a heading and before the next.
fn below(text: &str, heading: &str) -> Option<String> {
    let title = |line: &str| line.starts_with('#').then(|| line.trim_start_matches('#').trim().to_owned());
    let mut lines = text.lines().skip_while(|line| title(line).as_deref() != Some(heading)).skip(1);
    // A comment in a block may look like a heading, so the block's beginning comes first.
    lines.by_ref().take_while(|line| title(line).is_none()).find(|line| line.starts_with("```"))?;
    let mut block = String::new();
    for line in lines {
        if line.starts_with("```") {
            return Some(block);
        }
        block.push_str(line);
        block.push('\n');
    }
    None
}

/// Writes what stands for one zone once more for others. What belongs together begins at a line that begins as one of `begins`,
/// or behind an empty line, and reaches to where the next does.
///
/// # Panics
///
/// Panics if nothing stands there for the zone.
pub(crate) fn once_more(snippet: &str, begins: &[&str], zone: &str, others: &[&str]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut was_empty = true;
    for line in snippet.lines() {
        let is_new = was_empty || begins.iter().any(|begins| line.trim_start().starts_with(begins));
        was_empty = line.is_empty();
        if is_new {
            parts.push(String::new());
        }
        let part = parts.last_mut().expect("the first line begins a part");
        part.push_str(line);
        part.push('\n');
    }
    assert!(parts.iter().any(|part| part.contains(zone)), "nothing stands there for `{zone}`:\n{snippet}");
    let mut text = String::new();
    for part in parts {
        text.push_str(&part);
        if part.contains(zone) {
            for other in others {
                text.push_str(&part.replace(zone, other));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A\n\n## B\n\ntext\n\n## C\n\n```yaml\n# D\nx: z.example\n```\n\n```\nother\n```\n";

    #[test]
    fn a_block_is_found_below_its_own_heading() {
        assert_eq!(below(PAGE, "C").as_deref(), Some("# D\nx: z.example\n"));
        for heading in ["A", "B", "E"] {
            assert_eq!(below(PAGE, heading), None, "{heading}");
        }
    }

    #[test]
    fn what_stands_for_a_zone_is_repeated_and_nothing_else() {
        let text = "rpz:\n name: a.z\nrpz:\n name: b.z\n file: b.z\n\nend\n";
        let more = once_more(text, &["rpz:"], "b.z", &["c.z"]);
        assert_eq!(
            more,
            "rpz:\n name: a.z\nrpz:\n name: b.z\n file: b.z\n\nrpz:\n name: c.z\n file: c.z\n\nend\n"
        );
        assert_eq!(once_more(text, &[""], "name: b.z", &[]), text);
    }
}
