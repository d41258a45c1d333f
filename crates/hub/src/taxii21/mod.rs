//! TAXII 2.1: one file for each endpoint.

use std::collections::HashMap;
use std::sync::Arc;

use model::CollectionId;
use programme::Programme;
use taxii::{ApiRoot, Collection, Discovery};

use crate::answer::Fixed;

pub(crate) mod api_root;
pub(crate) mod collection;
pub(crate) mod collections;
pub(crate) mod discovery;
pub(crate) mod manifest;
pub(crate) mod object;
pub(crate) mod objects;
pub(crate) mod status;
pub(crate) mod versions;

/// Answers that follow from the programme, made once.
pub(crate) struct Prebuilt {
    pub(crate) programme: Arc<Programme>,
    pub(crate) discovery: Fixed,
    pub(crate) api_root: Fixed,
    /// Each collection as it looks with reading, with writing, and with both.
    collections: HashMap<CollectionId, [Fixed; 3]>,
}

impl Prebuilt {
    pub(crate) fn new(programme: Arc<Programme>, public_url: Option<&str>) -> Self {
        let settings = programme.settings();
        // TAXII 2.1 §4.1: API roots are absolute URLs or relative ones.
        let root = format!("{}/{}/", public_url.unwrap_or_default().trim_end_matches('/'), settings.name);
        let discovery = Fixed::new(&Discovery {
            title: settings.title.clone(),
            description: settings.description.clone(),
            contact: settings.contact.clone(),
            default: Some(root.clone()),
            api_roots: vec![root],
            custom: taxii::Custom::default(),
        });
        let api_root = Fixed::new(&ApiRoot {
            title: settings.title.clone(),
            description: settings.description.clone(),
            versions: vec![taxii::MEDIA_TYPE.to_owned()],
            max_content_length: u64::try_from(settings.limits.body_size_max_bytes).unwrap_or(u64::MAX),
            custom: taxii::Custom::default(),
        });
        let collections = settings
            .collections
            .iter()
            .map(|collection| {
                let rights = [(true, false), (false, true), (true, true)];
                let fixed =
                    rights.map(|(read, write)| Fixed::new(&collection_resource(collection, read, write)));
                (collection.id, fixed)
            })
            .collect();
        Self { programme, discovery, api_root, collections }
    }

    /// A collection, for a caller with these rights.
    pub(crate) fn collection(&self, id: &CollectionId, can_read: bool, can_write: bool) -> Option<&Fixed> {
        let [reading, writing, both] = self.collections.get(id)?;
        match (can_read, can_write) {
            (true, true) => Some(both),
            (true, false) => Some(reading),
            (false, true) => Some(writing),
            (false, false) => None,
        }
    }
}

/// A collection as TAXII writes it.
pub(crate) fn collection_resource(
    collection: &programme::Collection,
    can_read: bool,
    can_write: bool,
) -> Collection {
    Collection {
        id: collection.id.to_string(),
        title: collection.title.clone(),
        description: collection.description.clone(),
        alias: Some(collection.alias.clone()),
        can_read,
        can_write,
        media_types: collection.media_types.clone(),
        custom: taxii::Custom::default(),
    }
}
