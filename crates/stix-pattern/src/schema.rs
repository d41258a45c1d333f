//! The objects of STIX 2.1 §6 and the types of their properties, as far as patterns name them.

use Type::{Binary, Boolean, Dictionary, Hashes, Hex, Integer, List, Reference, Text, Timestamp};

/// The type of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Integer,
    Boolean,
    Timestamp,
    Binary,
    Hex,
    /// A dictionary of hashes by algorithm.
    Hashes,
    /// Keys that the table does not follow: extensions, dictionaries, parts of structures.
    Dictionary,
    /// An object's identifier, or the way into that object.
    Reference,
    List(&'static Type),
}

impl Type {
    /// Its name in the standard.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Text => "string",
            Integer => "integer",
            Boolean => "boolean",
            Timestamp => "timestamp",
            Binary => "binary",
            Hex => "hex",
            Hashes => "dictionary of hashes",
            Dictionary => "dictionary",
            Reference => "identifier",
            List(_) => "list",
        }
    }
}

type Properties = &'static [(&'static str, Type)];

const TEXTS: Type = List(&Text);
const REFERENCES: Type = List(&Reference);
const DICTIONARIES: Type = List(&Dictionary);

/// What every object has (STIX 2.1 §3.2).
const COMMON: Properties = &[
    ("type", Text),
    ("id", Reference),
    ("spec_version", Text),
    ("object_marking_refs", REFERENCES),
    ("granular_markings", DICTIONARIES),
    ("defanged", Boolean),
    ("extensions", Dictionary),
];

/// By kind of object, in order.
const OBJECTS: &[(&str, Properties)] = &[
    (
        "artifact",
        &[
            ("mime_type", Text),
            ("payload_bin", Binary),
            ("url", Text),
            ("hashes", Hashes),
            ("encryption_algorithm", Text),
            ("decryption_key", Text),
        ],
    ),
    ("autonomous-system", &[("number", Integer), ("name", Text), ("rir", Text)]),
    (
        "directory",
        &[
            ("path", Text),
            ("path_enc", Text),
            ("ctime", Timestamp),
            ("mtime", Timestamp),
            ("atime", Timestamp),
            ("contains_refs", REFERENCES),
        ],
    ),
    ("domain-name", &[("value", Text), ("resolves_to_refs", REFERENCES)]),
    ("email-addr", &[("value", Text), ("display_name", Text), ("belongs_to_ref", Reference)]),
    (
        "email-message",
        &[
            ("is_multipart", Boolean),
            ("date", Timestamp),
            ("content_type", Text),
            ("from_ref", Reference),
            ("sender_ref", Reference),
            ("to_refs", REFERENCES),
            ("cc_refs", REFERENCES),
            ("bcc_refs", REFERENCES),
            ("message_id", Text),
            ("subject", Text),
            ("received_lines", TEXTS),
            ("additional_header_fields", Dictionary),
            ("body", Text),
            ("body_multipart", DICTIONARIES),
            ("raw_email_ref", Reference),
        ],
    ),
    (
        "file",
        &[
            ("hashes", Hashes),
            ("size", Integer),
            ("name", Text),
            ("name_enc", Text),
            ("magic_number_hex", Hex),
            ("mime_type", Text),
            ("ctime", Timestamp),
            ("mtime", Timestamp),
            ("atime", Timestamp),
            ("created", Timestamp),
            ("modified", Timestamp),
            ("accessed", Timestamp),
            ("parent_directory_ref", Reference),
            ("contains_refs", REFERENCES),
            ("content_ref", Reference),
            ("is_encrypted", Boolean),
            ("encryption_algorithm", Text),
            ("decryption_key", Text),
        ],
    ),
    ("ipv4-addr", &[("value", Text), ("resolves_to_refs", REFERENCES), ("belongs_to_refs", REFERENCES)]),
    ("ipv6-addr", &[("value", Text), ("resolves_to_refs", REFERENCES), ("belongs_to_refs", REFERENCES)]),
    ("mac-addr", &[("value", Text)]),
    ("mutex", &[("name", Text)]),
    (
        "network-traffic",
        &[
            ("start", Timestamp),
            ("end", Timestamp),
            ("is_active", Boolean),
            ("src_ref", Reference),
            ("dst_ref", Reference),
            ("src_port", Integer),
            ("dst_port", Integer),
            ("protocols", TEXTS),
            ("src_byte_count", Integer),
            ("dst_byte_count", Integer),
            ("src_packets", Integer),
            ("dst_packets", Integer),
            ("ipfix", Dictionary),
            ("src_payload_ref", Reference),
            ("dst_payload_ref", Reference),
            ("encapsulates_refs", REFERENCES),
            ("encapsulated_by_ref", Reference),
        ],
    ),
    (
        "process",
        &[
            ("is_hidden", Boolean),
            ("pid", Integer),
            ("name", Text),
            ("created", Timestamp),
            ("created_time", Timestamp),
            ("cwd", Text),
            ("arguments", TEXTS),
            ("command_line", Text),
            ("environment_variables", Dictionary),
            ("opened_connection_refs", REFERENCES),
            ("creator_user_ref", Reference),
            ("image_ref", Reference),
            ("binary_ref", Reference),
            ("parent_ref", Reference),
            ("child_refs", REFERENCES),
        ],
    ),
    (
        "software",
        &[
            ("name", Text),
            ("cpe", Text),
            ("swid", Text),
            ("languages", TEXTS),
            ("vendor", Text),
            ("version", Text),
        ],
    ),
    ("url", &[("value", Text)]),
    (
        "user-account",
        &[
            ("user_id", Text),
            ("credential", Text),
            ("account_login", Text),
            ("account_type", Text),
            ("display_name", Text),
            ("is_service_account", Boolean),
            ("is_privileged", Boolean),
            ("can_escalate_privs", Boolean),
            ("is_disabled", Boolean),
            ("account_created", Timestamp),
            ("account_expires", Timestamp),
            ("credential_last_changed", Timestamp),
            ("password_last_changed", Timestamp),
            ("account_first_login", Timestamp),
            ("account_last_login", Timestamp),
        ],
    ),
    (
        "windows-registry-key",
        &[
            ("key", Text),
            ("values", DICTIONARIES),
            ("modified", Timestamp),
            ("modified_time", Timestamp),
            ("creator_user_ref", Reference),
            ("number_of_subkeys", Integer),
        ],
    ),
    (
        "x509-certificate",
        &[
            ("is_self_signed", Boolean),
            ("hashes", Hashes),
            ("version", Text),
            ("serial_number", Text),
            ("signature_algorithm", Text),
            ("issuer", Text),
            ("validity_not_before", Timestamp),
            ("validity_not_after", Timestamp),
            ("subject", Text),
            ("subject_public_key_algorithm", Text),
            ("subject_public_key_modulus", Text),
            ("subject_public_key_exponent", Integer),
            ("x509_v3_extensions", Dictionary),
        ],
    ),
];

/// Names that producers give to the standard's objects.
const TYPE_ALIASES: &[(&str, &str)] = &[
    ("domain", "domain-name"),
    ("domain_name", "domain-name"),
    ("domainname", "domain-name"),
    ("email", "email-message"),
    ("email-address", "email-addr"),
    ("email_addr", "email-addr"),
    ("email_message", "email-message"),
    ("hostname", "domain-name"),
    ("ipv4", "ipv4-addr"),
    ("ipv4-address", "ipv4-addr"),
    ("ipv4_addr", "ipv4-addr"),
    ("ipv6", "ipv6-addr"),
    ("ipv6-address", "ipv6-addr"),
    ("ipv6_addr", "ipv6-addr"),
    ("network_traffic", "network-traffic"),
    ("windows_registry_key", "windows-registry-key"),
    ("x509_certificate", "x509-certificate"),
];

/// Hash algorithms in the standard's spelling (§10.8), how long their digests are in hexadecimal, and their letters and
/// digits alone. Digests of no fixed alphabet have length 0.
const HASHES: &[(&str, usize, &str)] = &[
    ("MD5", 32, "md5"),
    ("SHA-1", 40, "sha1"),
    ("SHA-224", 56, "sha224"),
    ("SHA-256", 64, "sha256"),
    ("SHA-384", 96, "sha384"),
    ("SHA-512", 128, "sha512"),
    ("SHA3-256", 64, "sha3256"),
    ("SHA3-512", 128, "sha3512"),
    ("SSDEEP", 0, "ssdeep"),
    ("TLSH", 0, "tlsh"),
];

/// The standard's name for what producers call an object type, if it is another.
pub(crate) fn type_alias(name: &str) -> Option<&'static str> {
    TYPE_ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, standard)| *standard)
}

/// The properties of a kind of object.
pub(crate) fn object(name: &str) -> Option<Properties> {
    OBJECTS.iter().find(|(known, _)| *known == name).map(|(_, properties)| *properties)
}

/// The type of an object's property.
pub(crate) fn property(properties: Properties, key: &str) -> Option<Type> {
    let mut all = properties.iter().chain(COMMON);
    all.find(|(known, _)| *known == key).map(|(_, kind)| *kind)
}

/// The standard's spelling of a hash algorithm: `sha256`, `Sha_256` and `SHA-256` are one.
pub(crate) fn hash_algorithm(name: &str) -> Option<&'static str> {
    // The longest of them has seven letters and digits.
    let mut plain = [0_u8; 7];
    let mut length = 0;
    for byte in name.bytes().filter(|byte| !matches!(byte, b'-' | b'_' | b' ')) {
        *plain.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    HASHES.iter().find(|(_, _, known)| known.as_bytes() == &plain[..length]).map(|(standard, _, _)| *standard)
}

/// How many hexadecimal digits a digest of this algorithm has, if it has a fixed number.
pub(crate) fn digest_length(algorithm: &str) -> Option<usize> {
    let found = HASHES.iter().find(|(standard, _, _)| *standard == algorithm);
    found.map(|(_, length, _)| *length).filter(|length| *length > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hashes_are_read_by_their_letters() {
        let cases = [
            ("sha256", Some("SHA-256")),
            ("SHA_256", Some("SHA-256")),
            ("Md5", Some("MD5")),
            ("sha3-512", Some("SHA3-512")),
            ("ssdeep", Some("SSDEEP")),
            ("sha2560", None),
            ("sha", None),
            ("", None),
            ("imphash", None),
        ];
        for (name, want) in cases {
            assert_eq!(hash_algorithm(name), want, "{name}");
        }
    }

    #[test]
    fn aliases_lead_to_objects_and_none_of_them_is_one() {
        for (alias, standard) in TYPE_ALIASES {
            assert!(object(standard).is_some(), "{standard}");
            assert!(object(alias).is_none(), "{alias}");
        }
    }
}
