//! Pages: how a long result is read, and how a pull is taken up again.
//!
//! TAXII 2.1 §3.5 knows two ways on from a page that says `more`: the same request with the page's
//! `next`, or the same request with `added_after` set to the page's `X-TAXII-Date-Added-Last`. The
//! first is exact, so it is taken where it is offered. The standard forgot `next` on manifests and
//! versions, so there the second is often the only one.
//!
//! After the last page the second way is also how the *next* pull begins: with the date of the last
//! object that was ever seen. All of it is in a [`PullState`].

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZeroU32,
    ops::Range,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use taxii::{DATE_ADDED_FIRST, DATE_ADDED_LAST, Timestamp, encode_component};

use crate::{
    address::Address,
    error::{Error, Fault},
    transport::{Answer, Transport, text_of},
};

/// A server that filters after paging may send a few empty pages; none has a reason for more in a row.
const EMPTY_PAGES_MAX: u32 = 100;

/// What to ask for: page size and `match` filters. Where to begin is in the [`PullState`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    limit: Option<NonZeroU32>,
    matches: BTreeMap<String, String>,
}

impl Query {
    /// Asks for pages of at most so many objects.
    #[must_use]
    pub fn with_limit(mut self, limit: NonZeroU32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Adds `match[field]`: an object passes if it has *any* of the values. A value cannot have a comma.
    ///
    /// Naming a field again replaces its values: the standard allows each field once.
    #[must_use]
    pub fn matching<'a>(mut self, field: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        let values: Vec<&str> = values.into_iter().collect();
        self.matches.insert(field.to_owned(), values.join(","));
        self
    }

    /// The `match` filters as a query string.
    pub(crate) fn matches(&self) -> String {
        let pairs: Vec<String> = self
            .matches
            .iter()
            .map(|(field, values)| {
                format!("match%5B{}%5D={}", encode_component(field), encode_component(values))
            })
            .collect();
        pairs.join("&")
    }

    fn spelled(&self, state: &PullState) -> String {
        let mut pairs = Vec::new();
        if let Some(after) = &state.added_after {
            pairs.push(format!("added_after={}", encode_component(after)));
        }
        if let Some(limit) = self.limit {
            pairs.push(format!("limit={limit}"));
        }
        if !self.matches.is_empty() {
            pairs.push(self.matches());
        }
        // TAXII 2.1 §3.5: repeat the query, add next.
        if let Some(next) = &state.next {
            pairs.push(format!("next={}", encode_component(next)));
        }
        pairs.join("&")
    }
}

/// How far a pull has come: save it after each page, and go on from it.
///
/// It belongs to one listing with one query; with another, `next` means nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullState {
    /// Ask for what was added later than this, exactly as the server wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_after: Option<String>,
    /// Go on from here, within one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The latest date at which anything seen so far was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<String>,
}

impl PullState {
    /// The beginning of a pull of what was added after a moment.
    #[must_use]
    pub fn after(added_after: impl Into<String>) -> Self {
        Self { added_after: Some(added_after.into()), ..Self::default() }
    }

    /// The same place without `next`, for a server that has forgotten or refuses it.
    #[must_use]
    pub fn without_next(self) -> Self {
        let added_after = later(self.added_after, self.reached.clone());
        Self { added_after, next: None, reached: self.reached }
    }

    /// The state after a page.
    fn advanced(&self, head: &PageHead, last: Option<&str>) -> Result<Self, Fault> {
        let reached = later(self.reached.clone(), last.map(str::to_owned));
        if !head.more {
            // The next run begins after all that was seen.
            let added_after = later(self.added_after.clone(), reached.clone());
            return Ok(Self { added_after, next: None, reached });
        }
        if let Some(next) = head.next.clone().filter(|next| !next.is_empty()) {
            return Ok(Self { added_after: self.added_after.clone(), next: Some(next), reached });
        }
        let last = last.ok_or(Fault::NoWayOn)?;
        if later(self.added_after.clone(), Some(last.to_owned())) == self.added_after {
            return Err(Fault::DateStands);
        }
        Ok(Self { added_after: Some(last.to_owned()), next: None, reached })
    }
}

/// The later of two dates; what is no date loses.
fn later(one: Option<String>, other: Option<String>) -> Option<String> {
    let moment = |date: &Option<String>| date.as_ref().and_then(|date| date.parse::<Timestamp>().ok());
    if moment(&other) > moment(&one) { other } else { one }
}

/// Which property of the answer holds the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    Objects,
    Versions,
}

struct PageHead {
    more: bool,
    next: Option<String>,
}

#[derive(Deserialize)]
struct PageBody<'a> {
    #[serde(default)]
    more: bool,
    #[serde(default)]
    next: Option<String>,
    #[serde(borrow, default)]
    objects: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    versions: Vec<&'a RawValue>,
}

/// One page of a listing.
#[derive(Debug)]
pub struct Page {
    url: String,
    body: Vec<u8>,
    // INVARIANT: each range lies in `body`.
    items: Vec<Range<usize>>,
    state: PullState,
    date_added_first: Option<String>,
    date_added_last: Option<String>,
    is_last: bool,
}

impl Page {
    /// The items as the server sent them, byte for byte: objects, manifest records or versions.
    #[must_use]
    pub fn items(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.items.iter().map(|range| &self.body[range.clone()])
    }

    /// The items read as `T`, for instance [`taxii::ManifestRecord`]; versions are `String`s.
    ///
    /// # Errors
    ///
    /// Fails with [`Error::Malformed`] if one of them is no `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        let items = self.items().map(serde_json::from_slice).collect::<Result<_, _>>();
        items.map_err(|source| Error::Malformed { url: self.url.clone(), source })
    }

    /// Where to go on after this page.
    #[must_use]
    pub fn state(&self) -> &PullState {
        &self.state
    }

    /// When the first item was added, as the server wrote it.
    #[must_use]
    pub fn date_added_first(&self) -> Option<&str> {
        self.date_added_first.as_deref()
    }

    /// When the last item was added, as the server wrote it.
    #[must_use]
    pub fn date_added_last(&self) -> Option<&str> {
        self.date_added_last.as_deref()
    }

    /// Whether the server has no more for now.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.is_last
    }
}

/// The pages of a listing. Ends after the last page, and after the first error.
#[derive(Debug)]
pub struct Pages<'a> {
    transport: &'a Transport,
    address: Address,
    listing: Listing,
    query: Query,
    state: PullState,
    progress: Progress,
    is_done: bool,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(
        transport: &'a Transport,
        address: Address,
        listing: Listing,
        query: Query,
        state: PullState,
    ) -> Self {
        Self { transport, address, listing, query, state, progress: Progress::default(), is_done: false }
    }

    fn fetch(&mut self) -> Result<Page, Error> {
        let answer = self.transport.get(&self.address, &self.query.spelled(&self.state))?;
        let (head, items) = read_page(&answer, self.listing)?;
        let date = |name| {
            // Some servers send a date header with an empty page that is no date.
            text_of(&answer.headers, name).filter(|text| text.parse::<Timestamp>().is_ok()).map(str::to_owned)
        };
        let (date_added_first, date_added_last) = (date(DATE_ADDED_FIRST), date(DATE_ADDED_LAST));
        let advanced = self.state.advanced(&head, date_added_last.as_deref()).and_then(|state| {
            if head.more {
                self.progress.check(items.iter().map(|range| &answer.body[range.clone()]))?;
            }
            Ok(state)
        });
        let state = advanced.map_err(|fault| Error::NotAdvancing { url: answer.url.clone(), fault })?;
        self.state.clone_from(&state);
        self.is_done = !head.more;
        Ok(Page {
            url: answer.url,
            body: answer.body,
            items,
            state,
            date_added_first,
            date_added_last,
            is_last: !head.more,
        })
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<Page, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let page = self.fetch();
        self.is_done |= page.is_err();
        Some(page)
    }
}

fn read_page(answer: &Answer, listing: Listing) -> Result<(PageHead, Vec<Range<usize>>), Error> {
    let malformed = |source| Error::Malformed { url: answer.url.clone(), source };
    let body: PageBody<'_> = serde_json::from_slice(&answer.body).map_err(malformed)?;
    let items = match listing {
        Listing::Objects => body.objects,
        Listing::Versions => body.versions,
    };
    let start = answer.body.as_ptr().addr();
    let ranges = items.iter().map(|item| {
        let from = item.get().as_ptr().addr() - start;
        from..from + item.get().len()
    });
    Ok((PageHead { more: body.more, next: body.next }, ranges.collect()))
}

/// Notices a server that goes round in circles, in constant memory.
///
/// Brent's algorithm (BIT 20, 1980): one page is remembered, and replaced after 1, 2, 4, 8… pages. Any
/// cycle of `n` pages is noticed within `3n` pages of its start. What counts are the items alone: a server may
/// send a fresh `next` with a stale page, or the same `next` with a fresh one.
#[derive(Debug, Default)]
struct Progress {
    remembered: Option<u64>,
    pages_since: u64,
    pages_until_replaced: u64,
    empty_in_a_row: u32,
}

impl Progress {
    fn check<'a>(&mut self, items: impl Iterator<Item = &'a [u8]>) -> Result<(), Fault> {
        let mut hasher = DefaultHasher::new();
        let mut count = 0_usize;
        for item in items {
            item.hash(&mut hasher);
            count += 1;
        }
        if count == 0 {
            self.empty_in_a_row += 1;
            return if self.empty_in_a_row > EMPTY_PAGES_MAX { Err(Fault::EmptyPages) } else { Ok(()) };
        }
        self.empty_in_a_row = 0;
        let page = hasher.finish();
        if self.remembered == Some(page) {
            return Err(Fault::RepeatedPage);
        }
        self.pages_since += 1;
        if self.pages_since > self.pages_until_replaced {
            self.remembered = Some(page);
            self.pages_until_replaced = (self.pages_until_replaced * 2).max(1);
            self.pages_since = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(added_after: Option<&str>, next: Option<&str>, reached: Option<&str>) -> PullState {
        PullState {
            added_after: added_after.map(str::to_owned),
            next: next.map(str::to_owned),
            reached: reached.map(str::to_owned),
        }
    }

    #[test]
    fn a_state_advances_as_the_server_allows() {
        const D1: Option<&str> = Some("2026-01-01T00:00:00.000000Z");
        const D2: Option<&str> = Some("2026-01-02T00:00:00.000000Z");
        let cases = [
            // before                     more   next       last  after
            (state(None, None, None), false, None, None, Ok(state(None, None, None))),
            (state(None, None, None), false, None, D1, Ok(state(D1, None, D1))),
            (state(D1, Some("a"), D2), false, None, None, Ok(state(D2, None, D2))),
            (state(D2, None, None), false, None, D1, Ok(state(D2, None, D1))),
            (state(None, None, None), true, Some("a"), D1, Ok(state(None, Some("a"), D1))),
            (state(D1, Some("a"), D1), true, Some("b"), D2, Ok(state(D1, Some("b"), D2))),
            (state(D1, Some("a"), D1), true, Some("a"), D2, Ok(state(D1, Some("a"), D2))),
            (state(None, None, None), true, None, D1, Ok(state(D1, None, D1))),
            (state(D1, Some("a"), D1), true, Some(""), D2, Ok(state(D2, None, D2))),
            (state(D1, None, None), true, None, D1, Err(Fault::DateStands)),
            (state(D2, None, None), true, None, D1, Err(Fault::DateStands)),
            (state(D1, None, None), true, None, None, Err(Fault::NoWayOn)),
        ];
        for (before, more, next, last, after) in cases {
            let head = PageHead { more, next: next.map(str::to_owned) };
            assert_eq!(before.advanced(&head, last), after, "{before:?} {more} {next:?} {last:?}");
        }
    }

    #[test]
    fn a_forgotten_next_falls_back_to_the_date() {
        let (d1, d2) = (Some("2026-01-01T00:00:00Z"), Some("2026-01-02T00:00:00Z"));
        assert_eq!(state(d1, Some("a"), d2).without_next(), state(d2, None, d2));
        assert_eq!(state(d1, Some("a"), None).without_next(), state(d1, None, None));
    }

    #[test]
    fn a_state_survives_being_saved() {
        let state = state(Some("2026-01-01T00:00:00Z"), Some("n"), None);
        let saved = serde_json::to_string(&state).unwrap();
        assert_eq!(saved, r#"{"added_after":"2026-01-01T00:00:00Z","next":"n"}"#);
        assert_eq!(serde_json::from_str::<PullState>(&saved).unwrap(), state);
        assert_eq!(serde_json::from_str::<PullState>("{}").unwrap(), PullState::default());
    }

    #[test]
    fn circles_of_any_length_are_noticed() {
        for length in 1..50_usize {
            for lead in 0..10_usize {
                let mut progress = Progress::default();
                let mut pages = (0..).map(|nth: usize| {
                    let name = if nth < lead { nth + 1000 } else { (nth - lead) % length };
                    name.to_string()
                });
                let noticed = pages
                    .position(|page| progress.check([page.as_bytes()].into_iter()).is_err())
                    .unwrap_or(usize::MAX);
                assert!(noticed >= lead + length, "{length} {lead}: too early, at {noticed}");
                assert!(noticed <= 3 * (lead + length) + 1, "{length} {lead}: too late, at {noticed}");
            }
        }
    }

    #[test]
    fn pages_that_differ_go_on() {
        let mut progress = Progress::default();
        for nth in 0..10_000_u32 {
            assert_eq!(progress.check([nth.to_string().as_bytes()].into_iter()), Ok(()));
        }
    }

    #[test]
    fn empty_pages_are_borne_for_a_while() {
        let mut progress = Progress::default();
        let empty = std::iter::empty::<&[u8]>;
        for _ in 0..EMPTY_PAGES_MAX {
            assert_eq!(progress.check(empty()), Ok(()));
        }
        assert_eq!(progress.check(empty()), Err(Fault::EmptyPages));
        assert_eq!(progress.check([&b"{}"[..]].into_iter()), Ok(()));
        assert_eq!(progress.check(empty()), Ok(()));
    }

    #[test]
    fn queries_are_spelled_for_any_server() {
        let query = Query::default()
            .with_limit(NonZeroU32::new(5).unwrap())
            .matching("type", ["indicator"])
            .matching("type", ["indicator", "malware"])
            .matching("spec_version", ["2.1"]);
        let spelled = query.spelled(&state(Some("2026-01-01T00:00:00Z"), Some("a+b/="), None));
        assert_eq!(
            spelled,
            "added_after=2026-01-01T00%3A00%3A00Z&limit=5&match%5Bspec_version%5D=2.1\
             &match%5Btype%5D=indicator%2Cmalware&next=a%2Bb%2F%3D"
        );
        let filter = taxii::ObjectFilter::parse(taxii::Endpoint::Objects, &spelled).unwrap();
        assert!(filter.wants_type("malware") && filter.next.as_deref() == Some("a+b/="));
    }
}
