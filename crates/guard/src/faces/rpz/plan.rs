//! What the configuration asks of the zones: keys, names, and who gets what.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sinkhole::Name;
use sinkhole::rpz::{Access, Secondary, Triggers, TsigAlgorithm, TsigKey, ZoneSpec};

use super::RpzError;
use crate::config::{self, Config, Rpz};
use crate::customers::Customers;

/// The zone of what is allowed; it stands before all others in a resolver's configuration.
pub(crate) const ALLOW_LABEL: &str = "allow";
/// What zones of addresses have between label and origin.
pub(crate) const ADDRESSES_LABEL: &str = "ip";

/// What zones have between label and origin that let pass what they list.
pub(crate) const WATCH_LABEL: &str = "watch";

/// What a zone is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    AllowedNames,
    AllowedAddresses,
    Names(u16),
    Addresses(u16),
    Watched(u16),
}

/// Keys and zones as a configuration wants them; that it could be made says that they can be had.
#[derive(Debug, Default)]
pub struct Plan {
    pub(super) keys: Vec<TsigKey>,
    pub(super) zones: Vec<(Subject, ZoneSpec)>,
}

impl Plan {
    /// Reads the keys and names the zones; none without a `[sinkhole.rpz]`.
    ///
    /// # Errors
    ///
    /// Fails for keys and names that cannot be used.
    pub fn new(config: &Config, customers: &Customers) -> Result<Self, RpzError> {
        let Some(rpz) = &config.sinkhole.rpz else { return Ok(Self::default()) };
        let ttl = u32::try_from(config.sinkhole.ttl.as_secs()).unwrap_or(u32::MAX);
        let every_key: Vec<&str> = rpz.keys.iter().map(|key| key.name.as_str()).collect();
        let all = access(rpz, &every_key, |_| true)?;
        let mut subjects = vec![(Subject::AllowedNames, ALLOW_LABEL, all.clone())];
        if rpz.addresses {
            subjects.push((Subject::AllowedAddresses, ALLOW_LABEL, all));
        }
        for (index, feed) in (0_u16..).zip(&config.feeds) {
            let theirs = access(rpz, &customers.keys_of(index), |address| {
                // Who asks without a name is who has the address.
                customers.enforces_at(address, index)
            })?;
            subjects.push((Subject::Names(index), &feed.alias, theirs.clone()));
            if rpz.addresses {
                subjects.push((Subject::Addresses(index), &feed.alias, theirs));
            }
            if rpz.watch {
                let watching =
                    access(rpz, &customers.keys_with(index), |address| customers.has_at(address, index))?;
                subjects.push((Subject::Watched(index), &feed.alias, watching));
            }
        }
        let mut zones = Vec::new();
        for (subject, label, access) in subjects {
            let (below, triggers) = match subject {
                Subject::AllowedNames | Subject::Names(_) => (rpz.origin.clone(), Triggers::Names),
                Subject::AllowedAddresses | Subject::Addresses(_) => {
                    (format!("{ADDRESSES_LABEL}.{}", rpz.origin), Triggers::Addresses)
                }
                Subject::Watched(_) => (format!("{WATCH_LABEL}.{}", rpz.origin), Triggers::Names),
            };
            let apex = name(&format!("{label}.{below}"))?;
            let secondaries = secondaries(rpz)?;
            zones.push((subject, ZoneSpec { ttl, access, secondaries, ..ZoneSpec::new(apex, triggers) }));
        }
        Ok(Self { keys: keys(rpz)?, zones })
    }
}

/// Those who are to have the zone get it, all others that may ask get it empty.
fn access(
    rpz: &Rpz,
    keys: &[&str],
    is_theirs: impl Fn(std::net::IpAddr) -> bool,
) -> Result<Access, RpzError> {
    let (mut full, mut empty) = (Vec::new(), Vec::new());
    for key in &rpz.keys {
        let into = if keys.contains(&key.name.as_str()) { &mut full } else { &mut empty };
        into.push(name(&key.name)?);
    }
    let (unsigned, empty_unsigned) = rpz.unsigned.iter().partition(|address| is_theirs(**address));
    Ok(Access { keys: full, unsigned, empty_keys: empty, empty_unsigned })
}

fn secondaries(rpz: &Rpz) -> Result<Vec<Secondary>, RpzError> {
    let secondaries = rpz.notify.iter().map(|secondary| {
        let key = secondary.key.as_deref().map(name).transpose()?;
        Ok(Secondary { address: secondary.address, key })
    });
    secondaries.collect()
}

fn name(text: &str) -> Result<Name, RpzError> {
    text.parse().map_err(|_| RpzError::Name(text.to_owned()))
}

fn keys(rpz: &Rpz) -> Result<Vec<TsigKey>, RpzError> {
    rpz.keys.iter().map(tsig_key).collect()
}

/// A key with the secret that its file has.
///
/// # Errors
///
/// Fails if its name is none, or its file has no secret.
pub(crate) fn tsig_key(key: &config::TsigKey) -> Result<TsigKey, RpzError> {
    let fault = |reason: String| RpzError::Key { key: key.name.clone(), reason };
    let text = std::fs::read_to_string(&key.secret_file)
        .map_err(|error| fault(format!("`{}` cannot be read: {error}", key.secret_file.display())))?;
    let secret = STANDARD.decode(text.trim()).map_err(|_| fault("its file is not base64".to_owned()))?;
    let algorithm = match key.algorithm.as_str() {
        "hmac-sha512" => TsigAlgorithm::HmacSha512,
        _ => TsigAlgorithm::HmacSha256,
    };
    TsigKey::new(name(&key.name)?, algorithm, &secret).map_err(|error| fault(error.to_string()))
}
