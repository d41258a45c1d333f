//! Pictures: a writer of SVG that escapes whatever it is given, so that what it wrote can stand in a page as it is.

use std::fmt::Write as _;

/// A picture in the making. Elements are opened and closed in pairs; `finish` closes what is left.
pub(crate) struct Svg {
    text: String,
    open: Vec<&'static str>,
}

/// A finished picture, which was escaped when it was written. Templates put it in with `|safe`, and nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture(String);

impl Picture {
    /// The picture as markup.
    pub(crate) fn markup(&self) -> &str {
        &self.0
    }
}

impl Svg {
    /// Begins a picture of that size in user units, named by a title and a description for those who do not see it.
    pub(crate) fn new(id: &str, width: i32, height: i32, title: &str, description: &str) -> Self {
        let mut svg = Self { text: String::new(), open: Vec::new() };
        let (title_id, description_id) = (format!("{id}-title"), format!("{id}-description"));
        svg.begin(
            "svg",
            &[
                ("xmlns", "http://www.w3.org/2000/svg"),
                ("class", "picture"),
                ("role", "group"),
                ("viewBox", &format!("0 0 {width} {height}")),
                ("width", &width.to_string()),
                ("height", &height.to_string()),
                ("aria-labelledby", &title_id),
                ("aria-describedby", &description_id),
            ],
        );
        svg.words("title", &[("id", &title_id)], title);
        svg.words("desc", &[("id", &description_id)], description);
        svg
    }

    /// Opens an element.
    pub(crate) fn begin(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.head(name, attributes);
        self.text.push('>');
        self.open.push(name);
    }

    /// Closes the element that was opened last.
    pub(crate) fn end(&mut self) {
        if let Some(name) = self.open.pop() {
            let _ = write!(self.text, "</{name}>");
        }
    }

    /// An element without contents.
    pub(crate) fn shape(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.head(name, attributes);
        self.text.push_str("/>");
    }

    /// An element that holds text.
    pub(crate) fn words(&mut self, name: &'static str, attributes: &[(&str, &str)], words: &str) {
        self.head(name, attributes);
        self.text.push('>');
        escape(&mut self.text, words);
        let _ = write!(self.text, "</{name}>");
    }

    pub(crate) fn finish(mut self) -> Picture {
        while !self.open.is_empty() {
            self.end();
        }
        Picture(self.text)
    }

    fn head(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        let _ = write!(self.text, "<{name}");
        for (name, value) in attributes {
            let _ = write!(self.text, " {name}=\"");
            escape(&mut self.text, value);
            self.text.push('"');
        }
    }
}

fn escape(into: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            // XML 1.0 §2.2 has no place for these, escaped or not.
            letter if letter.is_control() && !matches!(letter, '\t' | '\n' | '\r') => into.push('\u{fffd}'),
            letter => into.push(letter),
        }
    }
}

/// The beginning of a text, as far as it fits.
pub(crate) fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let begun: String = text.chars().take(letters.saturating_sub(1)).collect();
    format!("{}…", begun.trim_end())
}

/// About how wide a text is at a size, in user units: browsers have the fonts, and the server has not, so rather too wide.
pub(crate) fn width_of(text: &str, size: i32) -> i32 {
    let hundredths = |letter: char| match letter {
        'i' | 'l' | 'j' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '(' | ')' | '[' | ']' => 34,
        'f' | 't' | 'r' | ' ' | '-' => 42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 98,
        'A'..='Z' => 74,
        letter if u32::from(letter) < 0x1100 => 64,
        // Ideographs, syllables and pictures are as wide as they are high.
        _ => 106,
    };
    text.chars().map(hundredths).sum::<i32>() * size / 100
}

/// The beginning of a text, as far as it fits into a width at a size.
pub(crate) fn fitted(text: &str, width: i32, size: i32) -> String {
    if width_of(text, size) <= width {
        return text.to_owned();
    }
    let mut begun = String::new();
    for letter in text.chars() {
        begun.push(letter);
        if width_of(&begun, size) + size > width {
            begun.pop();
            break;
        }
    }
    format!("{}…", begun.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_given_stays_text() {
        let hostile = "</title><script>alert(1)</script>\"' onload=x &\u{1}";
        let mut svg = Svg::new("p", 10, 10, hostile, hostile);
        svg.begin("a", &[("href", hostile)]);
        svg.words("text", &[("class", hostile)], hostile);
        let picture = svg.finish();
        let markup = picture.markup();
        assert!(!markup.contains("<script") && !markup.contains("\"' onload"), "{markup}");
        assert_eq!(markup.matches("&lt;script&gt;").count(), 5, "{markup}");
        assert!(markup.ends_with("</a></svg>"), "{markup}");
    }

    #[test]
    fn a_text_is_cut_to_a_width() {
        for (text, fits) in
            [("Huawei", true), ("Huawei Symantec Technologies", false), ("華為技術有限公司華為技術", false)]
        {
            let told = fitted(text, 120, 13);
            assert_eq!(told == text, fits, "{told}");
            assert!(width_of(&told, 13) <= 120 + 13 && told.chars().count() > 5, "{told}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_letters() {
        assert_eq!(shortened("Huawei Symantec Technologies", 16), "Huawei Symantec…");
        assert_eq!(shortened("größer", 6), "größer");
    }
}
