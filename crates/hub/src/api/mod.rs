//! The administration API: JSON, described by `/api/openapi.json`, one file for each endpoint.
//!
//! Ids and words are those of `model`, in its serde forms. What a document has too much is refused, not passed over: a
//! misspelt `audience` would publish to everybody.

pub(crate) mod allow;
pub(crate) mod backup;
pub(crate) mod blinded;
pub(crate) mod content;
pub(crate) mod credentials;
pub(crate) mod false_positives;
pub(crate) mod findings;
pub(crate) mod guards;
pub(crate) mod holds;
pub(crate) mod ledger;
pub(crate) mod me;
pub(crate) mod member;
pub(crate) mod members;
pub(crate) mod occurrences;
pub(crate) mod openapi;
pub(crate) mod own;
pub(crate) mod programme;
pub(crate) mod publish;
pub(crate) mod recall;
pub(crate) mod receivers;
pub(crate) mod release;
pub(crate) mod standing;
pub(crate) mod status;
pub(crate) mod stream;
pub(crate) mod vetting;
pub(crate) mod webhooks;

use std::str::FromStr;

use taxii::decode_component;

use crate::refusal::Refusal;

/// An id in a path. One that is misspelt names nothing, which is what the caller learns.
pub(crate) fn id<T>(text: &str) -> Result<T, Refusal>
where
    T: FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|error: T::Err| Refusal::new(hyper::StatusCode::NOT_FOUND, error.to_string()))
}

/// Where a page of a listing begins, and how much it has.
pub(crate) fn page_of(
    after: Option<String>,
    limit: Option<&str>,
    most: usize,
) -> Result<(String, usize), Refusal> {
    Ok((after.unwrap_or_default(), self::limit(limit, most, most)?))
}

/// The parameters of a query string, each at most once, with the names that the endpoint takes.
pub(crate) fn parameters<const N: usize>(
    query: Option<&str>,
    names: [&str; N],
) -> Result<[Option<String>; N], Refusal> {
    let mut values = [const { None }; N];
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let known = decode_component(name).and_then(|name| names.iter().position(|known| *known == name));
        let Some(known) = known else {
            let taken = names.join(", ");
            return Err(Refusal::bad_request(format!("a parameter is not known here; there are: {taken}")));
        };
        let value = decode_component(value);
        if value.is_none() || std::mem::replace(&mut values[known], value).is_some() {
            return Err(Refusal::bad_request(format!("`{}` is given twice, or is no text", names[known])));
        }
    }
    Ok(values)
}

/// How many entries of a list one answer has, where nothing else is said, and at most.
pub(crate) const LIST_MAX: usize = 1_000;

/// The `limit` of a list: `usual` if it is left out, `most` if it asks for more.
pub(crate) fn limit(text: Option<&str>, usual: usize, most: usize) -> Result<usize, Refusal> {
    match text.map(str::parse) {
        None => Ok(usual),
        Some(Ok(limit @ 1..)) => Ok(most.min(limit)),
        Some(Ok(0) | Err(_)) => Err(Refusal::bad_request("`limit` is a positive integer")),
    }
}

/// Where a list goes on: `after` and `limit`.
pub(crate) fn page<T>(query: Option<&str>) -> Result<(Option<T>, usize), Refusal>
where
    T: FromStr<Err: std::fmt::Display>,
{
    let [after, wanted] = parameters(query, ["after", "limit"])?;
    let after = after.map(|text| text.parse::<T>()).transpose();
    let after = after.map_err(|error| Refusal::bad_request(format!("`after`: {error}")))?;
    Ok((after, limit(wanted.as_deref(), LIST_MAX, LIST_MAX)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_known_and_given_once() {
        let read =
            |query| parameters(Some(query), ["limit", "after"]).map_err(|refusal| refusal.status.as_u16());
        assert_eq!(read("limit=5&after=a%20b"), Ok([Some("5".to_owned()), Some("a b".to_owned())]));
        assert_eq!(read(""), Ok([None, None]));
        for query in ["limit=1&limit=2", "limits=1", "after=%ff"] {
            assert_eq!(read(query), Err(400), "{query}");
        }
    }
}
