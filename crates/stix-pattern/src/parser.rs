//! Recursive descent over the grammar of STIX 2.1 §9.
//!
//! Only parentheses nest, so only they recurse, and no deeper than [`DEPTH_MAX`].

use std::fmt;
use std::str::FromStr;

use crate::ast::{
    Comparison, ComparisonExpression, ObjectPath, ObservationExpression, Operator, Qualifier, RESERVED,
    Seconds, Step,
};
use crate::check;
use crate::finding::{Finding, Matter, ParseError};
use crate::instant::Timestamp;
use crate::lexer::{Lexer, Token, shortened};
use crate::literal::{Literal, decode_base64};
use crate::simple::{self, Simple};

/// How deep parentheses may nest, in observations and in comparisons each. Published patterns nest three deep; every level
/// costs a few hundred bytes of stack wherever a pattern is walked.
pub const DEPTH_MAX: usize = 64;

/// The longest pattern that is read: a set of ten thousand hashes fits.
pub const PATTERN_MAX_BYTES: usize = 1 << 20;

/// A pattern: its text, what it means, and what was noticed.
///
/// Two patterns are equal if they mean the same by their form; text and findings are no part of it.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: Box<str>,
    root: ObservationExpression,
    findings: Vec<Finding>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Fails for a text that has no reading, that is longer than [`PATTERN_MAX_BYTES`], or whose parentheses nest deeper
    /// than [`DEPTH_MAX`].
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.len() > PATTERN_MAX_BYTES {
            let problem = format!("the pattern has {} bytes, of {PATTERN_MAX_BYTES} at most", text.len());
            return Err(ParseError::new(text, 0, problem, "split it into several indicators"));
        }
        let mut parser = Parser::new(text)?;
        let root = parser.pattern()?;
        let mut findings = parser.lexer.findings;
        findings.sort_by_key(|finding| finding.offset);
        Ok(Self { source: text.into(), root, findings })
    }

    /// The text as it was given.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it means.
    #[must_use]
    pub fn root(&self) -> &ObservationExpression {
        &self.root
    }

    /// What was read as something else, and what does not fit the standard, in the order of the text.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The pattern as a list of equalities of which one must hold, if it is no more than that. See [`Simple`].
    #[must_use]
    pub fn simple(&self) -> Option<Simple<'_>> {
        simple::simple(&self.root)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl fmt::Display for Pattern {
    /// Writes the canonical text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root)
    }
}

impl FromStr for Pattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// How many steps an object path may have; the standard's longest has seven.
const PATH_STEPS_MAX: usize = 128;

/// How many qualifiers one expression may have.
const QUALIFIERS_MAX: usize = 16;

/// Makes an operator of its text.
type MakeOperator = fn(String) -> Operator;

/// Operators that take a text and nothing else.
const TEXT_OPERATORS: [(&str, MakeOperator); 4] = [
    ("LIKE", Operator::Like),
    ("MATCHES", Operator::Matches),
    ("ISSUBSET", Operator::IsSubset),
    ("ISSUPERSET", Operator::IsSuperset),
];

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token in hand, and where it begins.
    token: Token<'a>,
    at: usize,
    depth: usize,
}

/// The members of a chain; a chain within the chain loses its parentheses.
fn flat<T>(members: Vec<T>, inner: fn(&mut T) -> Option<Vec<T>>) -> Vec<T> {
    let mut flat = Vec::with_capacity(members.len());
    for mut member in members {
        match inner(&mut member) {
            Some(members) => flat.extend(members),
            None => flat.push(member),
        }
    }
    flat
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a parser names what it takes; whatever else stands there is the text's mistake"
)]
impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, ParseError> {
        let mut parser = Self { lexer: Lexer::new(text), token: Token::End, at: 0, depth: 0 };
        parser.advance()?;
        Ok(parser)
    }

    fn advance(&mut self) -> Result<Token<'a>, ParseError> {
        let (at, token) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn error(&self, problem: String, remedy: &'static str) -> ParseError {
        self.lexer.error(self.at, problem, remedy)
    }

    fn expected(&self, what: &str, remedy: &'static str) -> ParseError {
        self.error(format!("{what} was expected, and {} stands here", self.token.describe()), remedy)
    }

    fn expect(&mut self, token: &Token<'_>, remedy: &'static str) -> Result<(), ParseError> {
        if self.token != *token {
            return Err(self.expected(&token.describe(), remedy));
        }
        self.advance().map(|_| ())
    }

    /// Whether the token in hand is this keyword, in any case.
    fn at_keyword(&self, keyword: &str) -> bool {
        matches!(self.token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// Takes the keyword, if it is in hand.
    fn take_keyword(&mut self, keyword: &str) -> Result<bool, ParseError> {
        if !self.at_keyword(keyword) {
            return Ok(false);
        }
        if let Token::Word(word) = self.token
            && word != keyword
        {
            self.lexer.find(self.at, Matter::KeywordCase(word.to_owned()));
        }
        self.advance()?;
        Ok(true)
    }

    fn nested<T>(&mut self, read: fn(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        let at = self.at;
        self.advance()?;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let problem = format!("parentheses nest more than {DEPTH_MAX} deep");
            return Err(self.lexer.error(at, problem, "remove those that change nothing"));
        }
        let inner = read(self)?;
        self.depth -= 1;
        self.expect(&Token::RightParenthesis, "close what was opened with `(`")?;
        Ok(inner)
    }

    fn pattern(&mut self) -> Result<ObservationExpression, ParseError> {
        if matches!(self.token, Token::End) {
            return Err(
                self.error("the pattern is empty".to_owned(), "write a comparison such as [url:value = '…']")
            );
        }
        let bare = matches!(self.token, Token::Word(_));
        let root = if bare {
            self.lexer.find(self.at, Matter::NoBrackets);
            ObservationExpression::Observation(self.comparisons()?)
        } else {
            self.followed_by()?
        };
        match self.token {
            Token::End => Ok(root),
            _ => Err(self.expected(
                "the end of the pattern",
                "join expressions with AND, OR or FOLLOWEDBY, and write qualifiers behind the brackets",
            )),
        }
    }

    fn followed_by(&mut self) -> Result<ObservationExpression, ParseError> {
        let first = self.observation_or()?;
        if !self.at_keyword("FOLLOWEDBY") {
            return Ok(first);
        }
        let mut members = vec![first];
        while self.take_keyword("FOLLOWEDBY")? {
            members.push(self.observation_or()?);
        }
        let inner = |member: &mut _| match member {
            ObservationExpression::FollowedBy(members) => Some(std::mem::take(members)),
            _ => None,
        };
        Ok(ObservationExpression::FollowedBy(flat(members, inner)))
    }

    fn observation_or(&mut self) -> Result<ObservationExpression, ParseError> {
        let first = self.observation_and()?;
        if !self.at_keyword("OR") {
            return Ok(first);
        }
        let mut members = vec![first];
        while self.take_keyword("OR")? {
            members.push(self.observation_and()?);
        }
        let inner = |member: &mut _| match member {
            ObservationExpression::Or(members) => Some(std::mem::take(members)),
            _ => None,
        };
        Ok(ObservationExpression::Or(flat(members, inner)))
    }

    fn observation_and(&mut self) -> Result<ObservationExpression, ParseError> {
        let first = self.observation()?;
        if !self.at_keyword("AND") {
            return Ok(first);
        }
        let mut members = vec![first];
        while self.take_keyword("AND")? {
            members.push(self.observation()?);
        }
        let inner = |member: &mut _| match member {
            ObservationExpression::And(members) => Some(std::mem::take(members)),
            _ => None,
        };
        Ok(ObservationExpression::And(flat(members, inner)))
    }

    fn observation(&mut self) -> Result<ObservationExpression, ParseError> {
        let inner = match self.token {
            Token::LeftBracket => {
                self.advance()?;
                let comparisons = self.comparisons()?;
                self.expect(
                    &Token::RightBracket,
                    "close the observation with `]`, or join comparisons with AND or OR",
                )?;
                ObservationExpression::Observation(comparisons)
            }
            Token::LeftParenthesis => self.nested(Self::followed_by)?,
            _ => {
                return Err(self.expected("`[` or `(`", "begin an observation with `[`"));
            }
        };
        let mut added = Vec::new();
        while let Some(qualifier) = self.qualifier()? {
            added.push(qualifier);
            if added.len() > QUALIFIERS_MAX {
                let problem = format!("an expression has more than {QUALIFIERS_MAX} qualifiers");
                return Err(self.error(problem, "remove those that change nothing"));
            }
        }
        if added.is_empty() {
            return Ok(inner);
        }
        Ok(match inner {
            ObservationExpression::Qualified { inner, mut qualifiers } => {
                qualifiers.extend(added);
                ObservationExpression::Qualified { inner, qualifiers }
            }
            other => ObservationExpression::Qualified { inner: Box::new(other), qualifiers: added },
        })
    }

    fn qualifier(&mut self) -> Result<Option<Qualifier>, ParseError> {
        let start = self.at;
        if self.take_keyword("WITHIN")? {
            let seconds = self.seconds()?;
            if !self.take_keyword("SECONDS")? {
                return Err(self.expected("SECONDS", "write WITHIN 5 SECONDS"));
            }
            if seconds.nanos() == 0 {
                self.lexer.find(start, Matter::ZeroSeconds);
            }
            return Ok(Some(Qualifier::Within(seconds)));
        }
        if self.take_keyword("REPEATS")? {
            let number = match &self.token {
                Token::Number(text) => text.strip_prefix('+').unwrap_or(text).parse::<u32>().ok(),
                _ => None,
            };
            let Some(times) = number.filter(|times| *times > 0) else {
                return Err(self.expected("a whole number from 1 to 4294967295", "write REPEATS 5 TIMES"));
            };
            self.advance()?;
            if !self.take_keyword("TIMES")? {
                return Err(self.expected("TIMES", "write REPEATS 5 TIMES"));
            }
            return Ok(Some(Qualifier::Repeats(times)));
        }
        if self.take_keyword("START")? {
            let begin = self.timestamp()?;
            if !self.take_keyword("STOP")? {
                return Err(self.expected("STOP", "write START t'…' STOP t'…'"));
            }
            let stop = self.timestamp()?;
            if stop.instant() <= begin.instant() {
                self.lexer.find(start, Matter::EmptyPeriod);
            }
            return Ok(Some(Qualifier::StartStop { start: begin, stop }));
        }
        Ok(None)
    }

    fn seconds(&mut self) -> Result<Seconds, ParseError> {
        let remedy = "write a number of seconds such as 5 or 0.5";
        let Token::Number(text) = self.token else { return Err(self.expected("a number", remedy)) };
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let whole = if whole.is_empty() { Some(0) } else { whole.parse::<u64>().ok() };
        let Some(whole) = whole else {
            return Err(self.error(format!("`{}` is no length of time", shortened(text)), remedy));
        };
        let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
        let nanos = digits.fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        self.advance()?;
        Ok(Seconds::from_parts(whole, nanos))
    }

    fn timestamp(&mut self) -> Result<Timestamp, ParseError> {
        let remedy = "write it as t'2016-01-20T12:31:12Z'";
        let text = match &self.token {
            Token::Typed(b't', text) => (*text).to_owned(),
            Token::Text(text) => {
                let text = text.clone();
                self.lexer.find(self.at, Matter::PlainTimestamp);
                text
            }
            _ => return Err(self.expected("a timestamp", remedy)),
        };
        let timestamp = self.parse_timestamp(&text)?;
        self.advance()?;
        Ok(timestamp)
    }

    /// Reads a timestamp, with `T` and `Z` in lower case too.
    fn parse_timestamp(&mut self, text: &str) -> Result<Timestamp, ParseError> {
        if let Some(timestamp) = Timestamp::parse(text) {
            return Ok(timestamp);
        }
        if let Some(timestamp) = Timestamp::parse(&text.to_ascii_uppercase()) {
            self.lexer.find(self.at, Matter::TimestampCase(shortened(text)));
            return Ok(timestamp);
        }
        let problem = format!("`{}` is not a timestamp", shortened(text));
        Err(self
            .error(problem, "write it as t'2016-01-20T12:31:12Z', in UTC, with a day and time that exist"))
    }

    fn comparisons(&mut self) -> Result<ComparisonExpression, ParseError> {
        let first = self.comparisons_and()?;
        if !self.at_keyword("OR") {
            return Ok(first);
        }
        let mut members = vec![first];
        while self.take_keyword("OR")? {
            members.push(self.comparisons_and()?);
        }
        let inner = |member: &mut _| match member {
            ComparisonExpression::Or(members) => Some(std::mem::take(members)),
            _ => None,
        };
        Ok(ComparisonExpression::Or(flat(members, inner)))
    }

    fn comparisons_and(&mut self) -> Result<ComparisonExpression, ParseError> {
        let start = self.at;
        let first = self.comparison()?;
        if !self.at_keyword("AND") {
            return Ok(first);
        }
        let mut members = vec![first];
        while self.take_keyword("AND")? {
            members.push(self.comparison()?);
        }
        let inner = |member: &mut _| match member {
            ComparisonExpression::And(members) => Some(std::mem::take(members)),
            _ => None,
        };
        let whole = ComparisonExpression::And(flat(members, inner));
        check::one_object(&whole, start, &mut self.lexer.findings);
        Ok(whole)
    }

    fn comparison(&mut self) -> Result<ComparisonExpression, ParseError> {
        if matches!(self.token, Token::LeftParenthesis) {
            return self.nested(Self::comparisons);
        }
        let start = self.at;
        let not_first = self.take_keyword("NOT")?;
        if self.at_keyword("EXISTS") {
            self.take_keyword("EXISTS")?;
            let path = self.path()?;
            let comparison = Comparison { path, negated: not_first, operator: Operator::Exists };
            return Ok(self.checked(comparison, start));
        }
        if not_first {
            return Err(self.expected(
                "EXISTS",
                "write NOT behind the property: x:y NOT = 1, or before EXISTS; groups cannot be negated",
            ));
        }
        let path = self.path()?;
        let negated = self.take_keyword("NOT")?;
        let operator = self.operator()?;
        Ok(self.checked(Comparison { path, negated, operator }, start))
    }

    /// Reads a comparison's aliases and types by the standard's tables.
    fn checked(&mut self, mut comparison: Comparison, start: usize) -> ComparisonExpression {
        check::comparison(&mut comparison, start, &mut self.lexer.findings);
        ComparisonExpression::Comparison(comparison)
    }

    fn path(&mut self) -> Result<ObjectPath, ParseError> {
        let remedy = "write a property as type:key, such as file:name";
        let Token::Word(object_type) = self.token else {
            return Err(self.expected("an object type", remedy));
        };
        let reserved = RESERVED.contains(&object_type);
        if reserved || !object_type.is_ascii() {
            return Err(self.expected("an object type", remedy));
        }
        self.advance()?;
        if !matches!(self.token, Token::Colon) {
            return Err(self.expected("`:`", remedy));
        }
        let mut steps = vec![self.key_step("`:`")?];
        loop {
            // A dot and digits look like a number to the lexer, and are a key here.
            let dotted = matches!(self.token, Token::Dot)
                || matches!(self.token, Token::Number(text) if text.starts_with('.'));
            if dotted {
                self.lexer.position = self.at + 1;
                steps.push(self.key_step("`.`")?);
            } else if matches!(self.token, Token::LeftBracket) {
                steps.push(self.index()?);
            } else {
                return Ok(ObjectPath { object_type: object_type.to_owned(), steps });
            }
            if steps.len() > PATH_STEPS_MAX {
                let problem = format!("an object path has more than {PATH_STEPS_MAX} steps");
                return Err(self.error(problem, "name a property that lies less deep"));
            }
        }
    }

    /// The key behind a colon or dot, which is in hand.
    fn key_step(&mut self, behind: &str) -> Result<Step, ParseError> {
        let Some((_, key)) = self.lexer.key()? else {
            let at = self.lexer.position;
            let problem = format!("a key was expected behind {behind}");
            return Err(self.lexer.error(at, problem, "write a word, or any text in single quotes"));
        };
        self.advance()?;
        Ok(Step::Key(key))
    }

    fn index(&mut self) -> Result<Step, ParseError> {
        let remedy = "write an index such as [0], or [*] for any element";
        self.advance()?;
        let step = match self.token {
            Token::Star => Step::Any,
            Token::Number(text) => match text.parse() {
                Ok(index) => Step::Index(index),
                Err(_) => return Err(self.expected("a whole number or `*`", remedy)),
            },
            _ => return Err(self.expected("a whole number or `*`", remedy)),
        };
        self.advance()?;
        self.expect(&Token::RightBracket, remedy)?;
        Ok(step)
    }

    fn operator(&mut self) -> Result<Operator, ParseError> {
        let symbol: Option<fn(Literal) -> Operator> = match self.token {
            Token::Equal => Some(Operator::Equal),
            Token::NotEqual => Some(Operator::NotEqual),
            Token::Less => Some(Operator::Less),
            Token::LessOrEqual => Some(Operator::LessOrEqual),
            Token::Greater => Some(Operator::Greater),
            Token::GreaterOrEqual => Some(Operator::GreaterOrEqual),
            _ => None,
        };
        if let Some(make) = symbol {
            self.advance()?;
            return Ok(make(self.literal()?));
        }
        if self.take_keyword("IN")? {
            return self.set().map(Operator::In);
        }
        for (word, make) in TEXT_OPERATORS {
            if self.take_keyword(word)? {
                let Token::Text(text) = &self.token else {
                    return Err(self.expected(
                        "a text in single quotes",
                        "put what follows the operator in single quotes",
                    ));
                };
                let operator = make(text.clone());
                self.advance()?;
                return Ok(operator);
            }
        }
        Err(self.expected(
            "an operator",
            "compare the property with =, !=, <, <=, >, >=, IN, LIKE, MATCHES, ISSUBSET or ISSUPERSET",
        ))
    }

    fn set(&mut self) -> Result<Vec<Literal>, ParseError> {
        self.expect(&Token::LeftParenthesis, "write a set as ('a', 'b')")?;
        let mut values = Vec::new();
        if !matches!(self.token, Token::RightParenthesis) {
            values.push(self.literal()?);
            while matches!(self.token, Token::Comma) {
                self.advance()?;
                values.push(self.literal()?);
            }
        }
        self.expect(&Token::RightParenthesis, "separate a set's elements with `,` and close it with `)`")?;
        Ok(values)
    }

    fn literal(&mut self) -> Result<Literal, ParseError> {
        let literal = match &self.token {
            Token::Text(text) => Literal::Text(text.clone()),
            Token::Number(text) => {
                let Some(number) = number(text) else {
                    let problem = format!("the number `{}` is too large", shortened(text));
                    return Err(
                        self.error(problem, "whole numbers need to fit 64 bits; write others with a point")
                    );
                };
                number
            }
            Token::Typed(b't', text) => {
                let text = *text;
                Literal::Timestamp(self.parse_timestamp(text)?)
            }
            Token::Typed(b'b', text) => {
                let Some(bytes) = decode_base64(text) else {
                    let problem = format!("`{}` is not Base64", shortened(text));
                    return Err(self.error(problem, "write bytes as b'AQID'"));
                };
                Literal::Binary(bytes)
            }
            Token::Typed(_, text) => {
                let Ok(bytes) = hex::decode(text) else {
                    let problem = format!("`{}` is not hexadecimal", shortened(text));
                    return Err(self.error(problem, "write bytes as h'010203', two digits each"));
                };
                Literal::Hex(bytes)
            }
            Token::Word(word) if word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false") => {
                let value = word.eq_ignore_ascii_case("true");
                if *word != value.to_string() {
                    self.lexer.find(self.at, Matter::KeywordCase((*word).to_owned()));
                }
                Literal::Boolean(value)
            }
            _ => {
                return Err(self.expected(
                    "a literal",
                    "write a text in single quotes, a number, true, false, t'…', b'…' or h'…'",
                ));
            }
        };
        self.advance()?;
        Ok(literal)
    }
}

/// A number of the grammar; `None` if it is out of range.
fn number(text: &str) -> Option<Literal> {
    if text.contains('.') {
        // `-0.0` and `0.0` are one value, and written as one.
        return text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|n| Literal::Float(n + 0.0));
    }
    text.parse().ok().map(Literal::Integer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts and what they are in canonical form.
    const READ: &[(&str, &str)] = &[
        ("[url:value='x']", "[url:value = 'x']"),
        ("  [ url:value\n=\t'x' ] ", "[url:value = 'x']"),
        ("/* a */[url:value = 'x'] // b", "[url:value = 'x']"),
        ("[url:value == 'x' OR url:value <> 'y']", "[url:value = 'x' OR url:value != 'y']"),
        (
            "[file:size < 1 OR file:size <= +2 OR file:size > -3 OR file:size >= 4.50]",
            "[file:size < 1 OR file:size <= 2 OR file:size > -3 OR file:size >= 4.5]",
        ),
        ("[x-a:f = .5 AND x-a:f = -.25 AND x-a:f = 3.0]", "[x-a:f = 0.5 AND x-a:f = -0.25 AND x-a:f = 3.0]"),
        (
            "[x-a:b = h'0aFF' AND x-a:b = b'AQID' AND x-a:b = true]",
            "[x-a:b = h'0aff' AND x-a:b = b'AQID' AND x-a:b = true]",
        ),
        ("[x-a:t > t'2020-01-01T00:00:00.10Z']", "[x-a:t > t'2020-01-01T00:00:00.10Z']"),
        (r"[file:name = 'it\'s C:\\x']", r"[file:name = 'it\'s C:\\x']"),
        ("[file:name NOT IN ('a', 'b','c')]", "[file:name NOT IN ('a', 'b', 'c')]"),
        ("[file:name IN ()]", "[file:name IN ()]"),
        ("[NOT EXISTS file:name AND EXISTS file:size]", "[NOT EXISTS file:name AND EXISTS file:size]"),
        (
            "[file:name NOT LIKE '%a_' OR file:name MATCHES '^a+$']",
            "[file:name NOT LIKE '%a_' OR file:name MATCHES '^a+$']",
        ),
        (
            "[ipv4-addr:value ISSUBSET '10.0.0.0/8' OR ipv4-addr:value NOT ISSUPERSET '10.0.0.1/32']",
            "[ipv4-addr:value ISSUBSET '10.0.0.0/8' OR ipv4-addr:value NOT ISSUPERSET '10.0.0.1/32']",
        ),
        (
            "[file:extensions.'windows-pebinary-ext'.sections[*].entropy > 7]",
            "[file:extensions.'windows-pebinary-ext'.sections[*].entropy > 7]",
        ),
        (
            "[email-message:from_ref.value = 'a' AND email-message:to_refs[0].value = 'b']",
            "[email-message:from_ref.value = 'a' AND email-message:to_refs[0].value = 'b']",
        ),
        // Comparisons: AND before OR, and brackets only where they change something.
        (
            "[(x-a:a = 1 AND (x-a:b = 2)) OR (x-a:c = 3 AND (x-a:d = 4 OR (x-a:e = 5 OR x-a:f = 6)))]",
            "[x-a:a = 1 AND x-a:b = 2 OR x-a:c = 3 AND (x-a:d = 4 OR x-a:e = 5 OR x-a:f = 6)]",
        ),
        // Observations: qualifiers, AND, OR, FOLLOWEDBY, from tight to loose.
        (
            "[x-a:a = 1] FOLLOWEDBY [x-a:b = 2] OR [x-a:c = 3] AND [x-a:d = 4] REPEATS 2 TIMES",
            "[x-a:a = 1] FOLLOWEDBY [x-a:b = 2] OR [x-a:c = 3] AND [x-a:d = 4] REPEATS 2 TIMES",
        ),
        (
            "([x-a:a = 1] FOLLOWEDBY [x-a:b = 2]) OR (([x-a:c = 3])) AND ([x-a:d = 4] OR [x-a:e = 5])",
            "([x-a:a = 1] FOLLOWEDBY [x-a:b = 2]) OR [x-a:c = 3] AND ([x-a:d = 4] OR [x-a:e = 5])",
        ),
        (
            "([x-a:a = 1] AND [x-a:b = 2]) WITHIN .50 SECONDS REPEATS 3 TIMES",
            "([x-a:a = 1] AND [x-a:b = 2]) WITHIN 0.5 SECONDS REPEATS 3 TIMES",
        ),
        (
            "([x-a:a = 1] WITHIN 5 SECONDS) START t'2020-01-01T00:00:00Z' STOP t'2020-01-02T00:00:00Z'",
            "[x-a:a = 1] WITHIN 5 SECONDS START t'2020-01-01T00:00:00Z' STOP t'2020-01-02T00:00:00Z'",
        ),
        ("[x-a:a[-1] = 1]", "[x-a:a[-1] = 1]"),
        ("[x-a:'a.b'.'in' = 1]", "[x-a:'a.b'.'in' = 1]"),
    ];

    #[test]
    fn canonical_text_means_the_same() {
        for (text, want) in READ {
            let pattern = Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(pattern.to_string(), *want);
            assert_eq!(pattern.source(), *text);
            assert_eq!(Pattern::parse(want).as_ref(), Ok(&pattern));
            assert!(!pattern.findings().iter().any(|f| f.matter.is_normalised()), "{:?}", pattern.findings());
        }
    }

    /// What is no pattern to the standard, how it is read, and the finding.
    const LENIENT: &[(&str, &str, &str)] = &[
        ("[url:value = \"it's\"]", r"[url:value = 'it\'s']", "double quotes"),
        ("[file:hashes.SHA-256 = 'x']", "[file:hashes.'SHA-256' = 'x']", "`SHA-256` needs single quotes"),
        ("[file:hashes.sha256 = 'x']", "[file:hashes.'SHA-256' = 'x']", "`sha256` is read as `SHA-256`"),
        ("[file:hashes.'SHA1' = 'x']", "[file:hashes.'SHA-1' = 'x']", "`SHA1` is read as `SHA-1`"),
        ("[file:hashes.md5 = 'x']", "[file:hashes.MD5 = 'x']", "`md5` is read as `MD5`"),
        ("[File:name = 'x']", "[file:name = 'x']", "`File` is read as `file`"),
        ("[hostname:value = 'x']", "[domain-name:value = 'x']", "`hostname` is read as `domain-name`"),
        (
            "[file:name = 'a' or file:name like 'b']",
            "[file:name = 'a' OR file:name LIKE 'b']",
            "keyword `or`",
        ),
        ("[x-a:a = True]", "[x-a:a = true]", "keyword `True`"),
        (r"[file:name = 'C:\Windows']", r"[file:name = 'C:\\Windows']", "backslash"),
        ("url:value = 'x'", "[url:value = 'x']", "without `[` and `]`"),
        ("\u{feff}[url:value = 'x']", "[url:value = 'x']", "byte-order mark"),
        ("[network-traffic:dst_port = '443']", "[network-traffic:dst_port = 443]", "read as 443"),
        ("[email-message:is_multipart = 'False']", "[email-message:is_multipart = false]", "read as false"),
        ("[network-traffic:protocols = 'tcp']", "[network-traffic:protocols[*] = 'tcp']", "is a list"),
        (
            "[x509-certificate:validity_not_after = '2020-01-01T00:00:00Z']",
            "[x509-certificate:validity_not_after = t'2020-01-01T00:00:00Z']",
            "read as t'",
        ),
        (
            "[x-a:a = 1] START '2020-01-01T00:00:00Z' STOP t'2020-01-02t00:00:00z'",
            "[x-a:a = 1] START t'2020-01-01T00:00:00Z' STOP t'2020-01-02T00:00:00Z'",
            "need timestamps",
        ),
        ("[x-a:a.5b = 1]", "[x-a:a.'5b' = 1]", "`5b` needs single quotes"),
    ];

    #[test]
    fn what_feeds_publish_is_read_with_a_finding() {
        for (text, want, finding) in LENIENT {
            let pattern = Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(pattern.to_string(), *want);
            let found: Vec<String> = pattern.findings().iter().map(ToString::to_string).collect();
            assert!(found.iter().any(|text| text.contains(finding)), "{text}: {found:?}");
            assert!(pattern.findings().iter().any(|f| f.matter.is_normalised()), "{text}: {found:?}");
            assert_eq!(Pattern::parse(want).as_ref(), Ok(&pattern), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_kept_with_a_finding() {
        let digest = "ab".repeat(32);
        let right = format!("[file:hashes.'SHA-256' = '{digest}']");
        let cases = [
            ("[file:path = 'x']", "no property `file:path`"),
            ("[app:id = 'x']", "no object type `app`"),
            ("[url:value = 5]", "is a string and never equals a integer"),
            ("[file:size = 'big']", "is a integer and never equals a string"),
            ("[file:size LIKE '5%']", "is a integer and never equals a string"),
            ("[file:is_encrypted < true]", "without an order"),
            ("[file:name = 'a' AND url:value = 'b']", "no object is both"),
            ("[x-a:a[-1] = 1]", "no list has an element [-1]"),
            ("[ipv4-addr:value ISSUBSET 'x']", "not an address"),
            ("[file:name IN ()]", "without elements"),
            ("[x-a:a = 1] START t'2020-01-01T00:00:00Z' STOP t'2020-01-01T00:00:00Z'", "no time counts"),
            ("[x-a:a = 1] WITHIN 0 SECONDS", "more than 0"),
            ("[file:hashes.MD5 = 'abc']", "not a MD5"),
            (right.as_str(), ""),
            ("[x-a:a = 1 AND x-a:b.c.d LIKE 'x']", ""),
            ("[file:x_ours = 1]", ""),
        ];
        for (text, want) in cases {
            let pattern = Pattern::parse(text).unwrap();
            let found: Vec<String> = pattern.findings().iter().map(ToString::to_string).collect();
            assert_eq!(found.len(), usize::from(!want.is_empty()), "{text}: {found:?}");
            assert!(found.iter().all(|text| text.contains(want)), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_text_without_a_reading_is_refused_with_its_place_and_the_remedy() {
        let cases = [
            // text                          line, column      problem            remedy
            ("", 1, 1, "empty", "write a comparison"),
            ("[url:value = 'x'", 1, 17, "end of the pattern", "`]`"),
            ("[url:value = 'x", 1, 14, "no end", "single quote"),
            ("[url:value = ]", 1, 14, "a literal was expected", "single quotes"),
            ("[url:value 'x']", 1, 12, "an operator was expected", "compare"),
            ("[url = 'x']", 1, 6, "`:` was expected", "type:key"),
            ("[url:= 'x']", 1, 6, "a key was expected", "single quotes"),
            ("[url:value =\n'x' & url:value = 'y']", 2, 5, "`&` has no meaning", "AND or OR"),
            ("[url:value = ‘x’]", 1, 14, "`‘` has no meaning", "straight"),
            ("[NOT url:value = 'x']", 1, 6, "EXISTS was expected", "NOT behind"),
            ("[url:value = 'x'] WITHIN 5", 1, 27, "SECONDS was expected", "WITHIN 5 SECONDS"),
            ("[url:value = 'x'] WITHIN -5 SECONDS", 1, 26, "no length of time", "0.5"),
            ("[url:value = 'x'] REPEATS 0 TIMES", 1, 27, "from 1", "REPEATS 5"),
            ("[url:value = 'x'] START t'2020-01-01T00:00:00Z'", 1, 48, "STOP was expected", "STOP t'"),
            ("[url:value = t'2020-02-30T00:00:00Z']", 1, 14, "not a timestamp", "exist"),
            ("[url:value = h'abc']", 1, 14, "not hexadecimal", "two digits"),
            ("[url:value = b'*']", 1, 14, "not Base64", "AQID"),
            ("[x-a:a = 99999999999999999999]", 1, 10, "too large", "64 bits"),
            ("[x-a:a[x] = 1]", 1, 8, "whole number", "[*]"),
            ("[x-a:a = 1] [x-a:b = 2]", 1, 13, "the end of the pattern was expected", "AND, OR"),
            ("([x-a:a = 1]", 1, 13, "`)` was expected", "close"),
            ("[x-a:a = 1] /* x", 1, 13, "comment has no end", "*/"),
            ("[x-a:a LIKE 5]", 1, 13, "a text in single quotes was expected", "single quotes"),
            ("[x-a:a = null]", 1, 10, "a literal was expected", "true, false"),
        ];
        for (text, line, column, problem, remedy) in cases {
            let error = Pattern::parse(text).expect_err(text);
            assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
            assert!(error.problem.contains(problem), "{text}: {error}");
            assert!(error.remedy.contains(remedy), "{text}: {error}");
        }
    }

    #[test]
    fn parentheses_nest_to_a_limit_and_chains_have_none() {
        let nested = |depth: usize| format!("{}[x-a:a = 1]{}", "(".repeat(depth), ")".repeat(depth));
        assert!(Pattern::parse(&nested(DEPTH_MAX)).is_ok());
        let error = Pattern::parse(&nested(DEPTH_MAX + 1)).unwrap_err();
        assert!(error.problem.contains("nest"), "{error}");
        assert!(Pattern::parse(&nested(PATTERN_MAX_BYTES / 4)).is_err());
        let chain = vec!["[x-a:a = 1]"; 50_000].join(" AND ");
        assert_eq!(Pattern::parse(&chain).unwrap().to_string(), chain);
        assert!(Pattern::parse(&" ".repeat(PATTERN_MAX_BYTES + 1)).unwrap_err().problem.contains("bytes"));
    }
}
