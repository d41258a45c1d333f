//! From characters to tokens.
//!
//! The parser asks for one token at a time, since what a word is depends on where it stands: `in` after a dot is a key, and
//! `SHA-256` is one there, too.

use crate::finding::{Finding, Matter, ParseError};

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    LeftBracket,
    RightBracket,
    LeftParenthesis,
    RightParenthesis,
    Comma,
    Colon,
    Dot,
    Star,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// A keyword, an object type or a key.
    Word(&'a str),
    /// A text in quotes.
    Text(String),
    /// `t'…'`, `b'…'` or `h'…'`: the letter in lower case, and what stands between the quotes.
    Typed(u8, &'a str),
    /// Digits with an optional sign and point.
    Number(&'a str),
    End,
}

impl Token<'_> {
    /// The token in words, for messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::LeftBracket => "`[`".to_owned(),
            Self::RightBracket => "`]`".to_owned(),
            Self::LeftParenthesis => "`(`".to_owned(),
            Self::RightParenthesis => "`)`".to_owned(),
            Self::Comma => "`,`".to_owned(),
            Self::Colon => "`:`".to_owned(),
            Self::Dot => "`.`".to_owned(),
            Self::Star => "`*`".to_owned(),
            Self::Equal => "`=`".to_owned(),
            Self::NotEqual => "`!=`".to_owned(),
            Self::Less => "`<`".to_owned(),
            Self::LessOrEqual => "`<=`".to_owned(),
            Self::Greater => "`>`".to_owned(),
            Self::GreaterOrEqual => "`>=`".to_owned(),
            Self::Word(word) => format!("`{}`", shortened(word)),
            Self::Text(text) => format!("the text `{}`", shortened(text)),
            Self::Typed(letter, text) => format!("`{}'{}'`", char::from(*letter), shortened(text)),
            Self::Number(text) => format!("the number `{}`", shortened(text)),
            Self::End => "the end of the pattern".to_owned(),
        }
    }
}

/// The beginning of a text, for messages.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

pub(crate) struct Lexer<'a> {
    pub(crate) source: &'a str,
    /// The next character's place.
    pub(crate) position: usize,
    pub(crate) findings: Vec<Finding>,
}

fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        let mut lexer = Self { source, position: 0, findings: Vec::new() };
        if source.starts_with('\u{feff}') {
            lexer.position = '\u{feff}'.len_utf8();
            lexer.find(0, Matter::ByteOrderMark);
        }
        lexer
    }

    pub(crate) fn find(&mut self, offset: usize, matter: Matter) {
        self.findings.push(Finding { offset, matter });
    }

    pub(crate) fn error(&self, offset: usize, problem: String, remedy: &'static str) -> ParseError {
        ParseError::new(self.source, offset, problem, remedy)
    }

    fn rest(&self) -> &'a str {
        &self.source[self.position..]
    }

    /// The next token and where it begins.
    pub(crate) fn next(&mut self) -> Result<(usize, Token<'a>), ParseError> {
        self.skip_space()?;
        let start = self.position;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok((start, Token::End)) };
        let (token, length) = match first {
            '[' => (Token::LeftBracket, 1),
            ']' => (Token::RightBracket, 1),
            '(' => (Token::LeftParenthesis, 1),
            ')' => (Token::RightParenthesis, 1),
            ',' => (Token::Comma, 1),
            ':' => (Token::Colon, 1),
            '*' => (Token::Star, 1),
            '=' => (Token::Equal, if rest.starts_with("==") { 2 } else { 1 }),
            '!' if rest.starts_with("!=") => (Token::NotEqual, 2),
            '<' if rest.starts_with("<>") => (Token::NotEqual, 2),
            '<' if rest.starts_with("<=") => (Token::LessOrEqual, 2),
            '<' => (Token::Less, 1),
            '>' if rest.starts_with(">=") => (Token::GreaterOrEqual, 2),
            '>' => (Token::Greater, 1),
            '\'' | '"' => return Ok((start, Token::Text(self.text()?))),
            c if is_word_start(c) => return self.word().map(|token| (start, token)),
            '0'..='9' | '+' | '-' | '.' => match number(rest) {
                0 if first == '.' => (Token::Dot, 1),
                0 => return Err(self.unexpected(start, first)),
                length => (Token::Number(&rest[..length]), length),
            },
            other => return Err(self.unexpected(start, other)),
        };
        self.position += length;
        Ok((start, token))
    }

    fn unexpected(&self, at: usize, c: char) -> ParseError {
        let remedy = match c {
            '&' | '|' => "write AND or OR",
            '!' => "write != or NOT",
            '‘' | '’' | '“' | '”' | '`' => "write texts in straight single quotes",
            _ => "remove it, or put it into a text in single quotes",
        };
        self.error(at, format!("`{}` has no meaning here", c.escape_debug()), remedy)
    }

    /// White space and comments, which may stand between any two tokens.
    fn skip_space(&mut self) -> Result<(), ParseError> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.position += rest.len() - trimmed.len();
            if let Some(comment) = trimmed.strip_prefix("/*") {
                let Some(end) = comment.find("*/") else {
                    return Err(self.error(
                        self.position,
                        "a comment has no end".to_owned(),
                        "close it with `*/`",
                    ));
                };
                self.position += end + 4;
            } else if trimmed.starts_with("//") {
                self.position += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
            } else {
                return Ok(());
            }
        }
    }

    /// A word, or a typed literal, which begins like one.
    fn word(&mut self) -> Result<Token<'a>, ParseError> {
        let (start, rest) = (self.position, self.rest());
        let bytes = rest.as_bytes();
        if let [letter @ (b't' | b'b' | b'h' | b'T' | b'B' | b'H'), quote @ (b'\'' | b'"'), ..] = bytes {
            let Some(length) = rest[2..].find(char::from(*quote)) else {
                return Err(self.unclosed(start + 1));
            };
            self.position += length + 3;
            if letter.is_ascii_uppercase() {
                self.find(start, Matter::KeywordCase(char::from(*letter).to_string()));
            }
            if *quote == b'"' {
                self.find(start + 1, Matter::DoubleQuotes);
            }
            return Ok(Token::Typed(letter.to_ascii_lowercase(), &rest[2..2 + length]));
        }
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.position += length;
        Ok(Token::Word(&rest[..length]))
    }

    /// A key at a place where only a key can stand, quoted or not, whatever its characters.
    pub(crate) fn key(&mut self) -> Result<Option<(usize, String)>, ParseError> {
        self.skip_space()?;
        let (start, rest) = (self.position, self.rest());
        if rest.starts_with(['\'', '"']) {
            return Ok(Some((start, self.text()?)));
        }
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if length == 0 {
            return Ok(None);
        }
        self.position += length;
        let key = &rest[..length];
        let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !key.starts_with(|c: char| c.is_ascii_digit());
        if !plain {
            self.find(start, Matter::UnquotedKey(shortened(key)));
        }
        Ok(Some((start, key.to_owned())))
    }

    /// A text in quotes; `\'` and `\\` stand for the second character.
    fn text(&mut self) -> Result<String, ParseError> {
        let (start, rest) = (self.position, self.rest());
        let quote = if rest.starts_with('"') { b'"' } else { b'\'' };
        let mut text = String::new();
        let mut lone_backslash = None;
        let mut at = 1;
        while let Some(length) = memchr::memchr2(quote, b'\\', &rest.as_bytes()[at..]) {
            text.push_str(&rest[at..at + length]);
            at += length;
            if rest.as_bytes()[at] == quote {
                self.position += at + 1;
                if quote == b'"' {
                    self.find(start, Matter::DoubleQuotes);
                }
                if let Some(at) = lone_backslash {
                    self.find(start + at, Matter::LoneBackslash);
                }
                return Ok(text);
            }
            match rest.as_bytes().get(at + 1) {
                Some(next @ (b'\'' | b'\\')) => {
                    text.push(char::from(*next));
                    at += 2;
                }
                Some(b'"') if quote == b'"' => {
                    text.push('"');
                    at += 2;
                }
                _ => {
                    lone_backslash = lone_backslash.or(Some(at));
                    text.push('\\');
                    at += 1;
                }
            }
        }
        Err(self.unclosed(start))
    }

    fn unclosed(&self, at: usize) -> ParseError {
        self.error(
            at,
            "a text has no end".to_owned(),
            "close it with a single quote, and write one inside it as \\'",
        )
    }
}

/// How many bytes of a number the text begins with.
fn number(text: &str) -> usize {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = text.len() - unsigned.len();
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(unsigned);
    let fraction = unsigned[whole..].strip_prefix('.').map_or(0, digits);
    match (whole, fraction) {
        (0, 0) => 0,
        (_, 0) => sign + whole,
        _ => sign + whole + 1 + fraction,
    }
}
