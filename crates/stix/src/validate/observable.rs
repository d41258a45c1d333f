//! The cyber-observable objects of STIX 2.1 (§6), with the extensions that the standard defines.

use super::domain::{GRANULAR_MARKINGS, MARKING_REFS};
use super::shape::{
    Class, ExtensionSpec, Form, INTEGER, Property, SIZE, Shape, TEXTS, Targets, TypeSpec, opt, req,
};
use crate::vocabulary as v;

/// §3.2: an observable has few of the common properties; it has no versions.
pub(super) const COMMON: &[Property] = &[
    req("type", Shape::Apart),
    req("id", Shape::Apart),
    opt("spec_version", Shape::Form(Form::SpecVersion)),
    opt("object_marking_refs", MARKING_REFS),
    opt("granular_markings", GRANULAR_MARKINGS),
    opt("defanged", Shape::Boolean),
    opt("extensions", Shape::Apart),
];

const HEX: Shape = Shape::Form(Form::Hex);
const MIME: Shape = Shape::Form(Form::Mime);
const OBSERVABLE_REFS: Shape = Shape::List(&Shape::Ref(Targets::Observable));
const FILES: Shape = Shape::List(&Shape::Ref(Targets::Only(&["file", "directory"])));
const FILE_REF: Shape = Shape::Ref(Targets::Only(&["file"]));
const ARTIFACT_REF: Shape = Shape::Ref(Targets::Only(&["artifact"]));
const MAILBOX_REF: Shape = Shape::Ref(Targets::Only(&["email-addr"]));
const MAILBOX_REFS: Shape = Shape::List(&MAILBOX_REF);
const ACCOUNT_REF: Shape = Shape::Ref(Targets::Only(&["user-account"]));
const HOST_REF: Shape = Shape::Ref(Targets::Only(&["ipv4-addr", "ipv6-addr", "mac-addr", "domain-name"]));
const PORT: Shape = Shape::Integer(0, 65_535);

const fn observable(name: &'static str, section: &'static str, properties: &'static [Property]) -> TypeSpec {
    extensible(name, section, properties, &[])
}

const fn extensible(
    name: &'static str,
    section: &'static str,
    properties: &'static [Property],
    extensions: &'static [ExtensionSpec],
) -> TypeSpec {
    TypeSpec { name, class: Class::Observable, section, properties, extensions }
}

const fn extension(
    name: &'static str,
    section: &'static str,
    properties: &'static [Property],
) -> ExtensionSpec {
    ExtensionSpec { name, section, properties }
}

pub(super) static ARTIFACT: TypeSpec = observable(
    "artifact",
    "6.1",
    &[
        opt("mime_type", MIME),
        opt("payload_bin", Shape::Form(Form::Binary)),
        opt("url", Shape::Form(Form::Url)),
        opt("hashes", Shape::Hashes),
        opt("encryption_algorithm", Shape::Term(&v::ENCRYPTION_ALGORITHM)),
        opt("decryption_key", Shape::Text),
    ],
);
pub(super) static AUTONOMOUS_SYSTEM: TypeSpec = observable(
    "autonomous-system",
    "6.2",
    &[req("number", INTEGER), opt("name", Shape::Text), opt("rir", Shape::Text)],
);
pub(super) static DIRECTORY: TypeSpec = observable(
    "directory",
    "6.3",
    &[
        req("path", Shape::Filled),
        opt("path_enc", Shape::Form(Form::Charset)),
        opt("ctime", Shape::Time),
        opt("mtime", Shape::Time),
        opt("atime", Shape::Time),
        opt("contains_refs", FILES),
    ],
);
pub(super) static DOMAIN_NAME: TypeSpec = observable(
    "domain-name",
    "6.4",
    &[
        req("value", Shape::Form(Form::Domain)),
        opt(
            "resolves_to_refs",
            Shape::List(&Shape::Ref(Targets::Only(&["ipv4-addr", "ipv6-addr", "domain-name"]))),
        ),
    ],
);
pub(super) static EMAIL_ADDR: TypeSpec = observable(
    "email-addr",
    "6.5",
    &[
        req("value", Shape::Form(Form::EmailAddress)),
        opt("display_name", Shape::Text),
        opt("belongs_to_ref", ACCOUNT_REF),
    ],
);
pub(super) static EMAIL_MESSAGE: TypeSpec = observable(
    "email-message",
    "6.6",
    &[
        req("is_multipart", Shape::Boolean),
        opt("date", Shape::Time),
        opt("content_type", Shape::Text),
        opt("from_ref", MAILBOX_REF),
        opt("sender_ref", MAILBOX_REF),
        opt("to_refs", MAILBOX_REFS),
        opt("cc_refs", MAILBOX_REFS),
        opt("bcc_refs", MAILBOX_REFS),
        opt("message_id", Shape::Text),
        opt("subject", Shape::Text),
        opt("received_lines", TEXTS),
        opt("additional_header_fields", Shape::Dictionary(&Shape::TextOrTexts)),
        opt("body", Shape::Text),
        opt(
            "body_multipart",
            Shape::List(&Shape::Object(
                "6.6.2",
                &[
                    opt("body", Shape::Text),
                    opt("body_raw_ref", Shape::Ref(Targets::Only(&["artifact", "file"]))),
                    opt("content_type", Shape::Text),
                    opt("content_disposition", Shape::Text),
                ],
            )),
        ),
        opt("raw_email_ref", ARTIFACT_REF),
    ],
);
pub(super) static FILE: TypeSpec = extensible(
    "file",
    "6.7",
    &[
        opt("hashes", Shape::Hashes),
        opt("size", SIZE),
        opt("name", Shape::Filled),
        opt("name_enc", Shape::Form(Form::Charset)),
        opt("magic_number_hex", HEX),
        opt("mime_type", MIME),
        opt("ctime", Shape::Time),
        opt("mtime", Shape::Time),
        opt("atime", Shape::Time),
        opt("parent_directory_ref", Shape::Ref(Targets::Only(&["directory"]))),
        opt("contains_refs", OBSERVABLE_REFS),
        opt("content_ref", ARTIFACT_REF),
    ],
    &[
        extension("archive-ext", "6.7.2", &[req("contains_refs", FILES), opt("comment", Shape::Text)]),
        extension(
            "ntfs-ext",
            "6.7.3",
            &[
                opt("sid", Shape::Text),
                opt(
                    "alternate_data_streams",
                    Shape::List(&Shape::Object(
                        "6.7.3",
                        &[req("name", Shape::Text), opt("hashes", Shape::Hashes), opt("size", SIZE)],
                    )),
                ),
            ],
        ),
        extension(
            "pdf-ext",
            "6.7.4",
            &[
                opt("version", Shape::Text),
                opt("is_optimized", Shape::Boolean),
                opt("document_info_dict", Shape::Dictionary(&Shape::Text)),
                opt("pdfid0", Shape::Text),
                opt("pdfid1", Shape::Text),
            ],
        ),
        extension(
            "raster-image-ext",
            "6.7.5",
            &[
                opt("image_height", INTEGER),
                opt("image_width", INTEGER),
                opt("bits_per_pixel", INTEGER),
                opt("exif_tags", Shape::Dictionary(&Shape::Any)),
            ],
        ),
        extension("windows-pebinary-ext", "6.7.6", PE_BINARY),
    ],
);
const PE_BINARY: &[Property] = &[
    req("pe_type", Shape::Term(&v::WINDOWS_PE_TYPE)),
    opt("imphash", Shape::Text),
    opt("machine_hex", HEX),
    opt("number_of_sections", SIZE),
    opt("time_date_stamp", Shape::Time),
    opt("pointer_to_symbol_table_hex", HEX),
    opt("number_of_symbols", SIZE),
    opt("size_of_optional_header", SIZE),
    opt("characteristics_hex", HEX),
    opt("file_header_hashes", Shape::Hashes),
    opt("optional_header", Shape::Object("6.7.6", PE_OPTIONAL_HEADER)),
    opt(
        "sections",
        Shape::List(&Shape::Object(
            "6.7.6",
            &[
                req("name", Shape::Text),
                opt("size", SIZE),
                opt("entropy", Shape::Number(f64::MIN, f64::MAX)),
                opt("hashes", Shape::Hashes),
            ],
        )),
    ),
];
const PE_OPTIONAL_HEADER: &[Property] = &[
    opt("magic_hex", HEX),
    opt("major_linker_version", INTEGER),
    opt("minor_linker_version", INTEGER),
    opt("size_of_code", SIZE),
    opt("size_of_initialized_data", SIZE),
    opt("size_of_uninitialized_data", SIZE),
    opt("address_of_entry_point", INTEGER),
    opt("base_of_code", INTEGER),
    opt("base_of_data", INTEGER),
    opt("image_base", INTEGER),
    opt("section_alignment", INTEGER),
    opt("file_alignment", INTEGER),
    opt("major_os_version", INTEGER),
    opt("minor_os_version", INTEGER),
    opt("major_image_version", INTEGER),
    opt("minor_image_version", INTEGER),
    opt("major_subsystem_version", INTEGER),
    opt("minor_subsystem_version", INTEGER),
    opt("win32_version_value_hex", HEX),
    opt("size_of_image", SIZE),
    opt("size_of_headers", SIZE),
    opt("checksum_hex", HEX),
    opt("subsystem_hex", HEX),
    opt("dll_characteristics_hex", HEX),
    opt("size_of_stack_reserve", SIZE),
    opt("size_of_stack_commit", SIZE),
    opt("size_of_heap_reserve", SIZE),
    opt("size_of_heap_commit", SIZE),
    opt("loader_flags_hex", HEX),
    opt("number_of_rva_and_sizes", INTEGER),
    opt("hashes", Shape::Hashes),
];
pub(super) static IPV4_ADDR: TypeSpec = observable(
    "ipv4-addr",
    "6.8",
    &[
        req("value", Shape::Form(Form::Ipv4)),
        opt("resolves_to_refs", Shape::List(&Shape::Ref(Targets::Only(&["mac-addr"])))),
        opt("belongs_to_refs", Shape::List(&Shape::Ref(Targets::Only(&["autonomous-system"])))),
    ],
);
pub(super) static IPV6_ADDR: TypeSpec = observable(
    "ipv6-addr",
    "6.9",
    &[
        req("value", Shape::Form(Form::Ipv6)),
        opt("resolves_to_refs", Shape::List(&Shape::Ref(Targets::Only(&["mac-addr"])))),
        opt("belongs_to_refs", Shape::List(&Shape::Ref(Targets::Only(&["autonomous-system"])))),
    ],
);
pub(super) static MAC_ADDR: TypeSpec =
    observable("mac-addr", "6.10", &[req("value", Shape::Form(Form::Mac))]);
pub(super) static MUTEX: TypeSpec = observable("mutex", "6.11", &[req("name", Shape::Filled)]);
pub(super) static NETWORK_TRAFFIC: TypeSpec = extensible(
    "network-traffic",
    "6.12",
    &[
        opt("start", Shape::Time),
        opt("end", Shape::Time),
        opt("is_active", Shape::Boolean),
        opt("src_ref", HOST_REF),
        opt("dst_ref", HOST_REF),
        opt("src_port", PORT),
        opt("dst_port", PORT),
        req("protocols", TEXTS),
        opt("src_byte_count", SIZE),
        opt("dst_byte_count", SIZE),
        opt("src_packets", SIZE),
        opt("dst_packets", SIZE),
        opt("ipfix", Shape::Dictionary(&Shape::Any)),
        opt("src_payload_ref", ARTIFACT_REF),
        opt("dst_payload_ref", ARTIFACT_REF),
        opt("encapsulates_refs", Shape::List(&Shape::Ref(Targets::Only(&["network-traffic"])))),
        opt("encapsulated_by_ref", Shape::Ref(Targets::Only(&["network-traffic"]))),
    ],
    &[
        extension(
            "http-request-ext",
            "6.12.2",
            &[
                req("request_method", Shape::Text),
                req("request_value", Shape::Text),
                opt("request_version", Shape::Text),
                opt("request_header", Shape::Dictionary(&TEXTS)),
                opt("message_body_length", INTEGER),
                opt("message_body_data_ref", ARTIFACT_REF),
            ],
        ),
        extension("icmp-ext", "6.12.3", &[req("icmp_type_hex", HEX), req("icmp_code_hex", HEX)]),
        extension(
            "socket-ext",
            "6.12.4",
            &[
                req("address_family", Shape::Term(&v::ADDRESS_FAMILY)),
                opt("is_blocking", Shape::Boolean),
                opt("is_listening", Shape::Boolean),
                opt("options", Shape::Dictionary(&INTEGER)),
                opt("socket_type", Shape::Term(&v::SOCKET_TYPE)),
                opt("socket_descriptor", SIZE),
                opt("socket_handle", INTEGER),
            ],
        ),
        extension("tcp-ext", "6.12.5", &[opt("src_flags_hex", HEX), opt("dst_flags_hex", HEX)]),
    ],
);
pub(super) static PROCESS: TypeSpec = extensible(
    "process",
    "6.13",
    &[
        opt("is_hidden", Shape::Boolean),
        opt("pid", INTEGER),
        opt("created_time", Shape::Time),
        opt("cwd", Shape::Text),
        opt("command_line", Shape::Text),
        opt("environment_variables", Shape::Dictionary(&Shape::Text)),
        opt("opened_connection_refs", Shape::List(&Shape::Ref(Targets::Only(&["network-traffic"])))),
        opt("creator_user_ref", ACCOUNT_REF),
        opt("image_ref", FILE_REF),
        opt("parent_ref", Shape::Ref(Targets::Only(&["process"]))),
        opt("child_refs", Shape::List(&Shape::Ref(Targets::Only(&["process"])))),
    ],
    &[
        extension(
            "windows-process-ext",
            "6.13.2",
            &[
                opt("aslr_enabled", Shape::Boolean),
                opt("dep_enabled", Shape::Boolean),
                opt("priority", Shape::Text),
                opt("owner_sid", Shape::Text),
                opt("window_title", Shape::Text),
                opt("startup_info", Shape::Dictionary(&Shape::Any)),
                opt("integrity_level", Shape::Term(&v::WINDOWS_INTEGRITY_LEVEL)),
            ],
        ),
        extension(
            "windows-service-ext",
            "6.13.3",
            &[
                opt("service_name", Shape::Text),
                opt("descriptions", TEXTS),
                opt("display_name", Shape::Text),
                opt("group_name", Shape::Text),
                opt("start_type", Shape::Term(&v::SERVICE_START_TYPE)),
                opt("service_dll_refs", Shape::List(&FILE_REF)),
                opt("service_type", Shape::Term(&v::SERVICE_TYPE)),
                opt("service_status", Shape::Term(&v::SERVICE_STATUS)),
            ],
        ),
    ],
);
pub(super) static SOFTWARE: TypeSpec = observable(
    "software",
    "6.14",
    &[
        req("name", Shape::Filled),
        opt("cpe", Shape::Form(Form::Cpe)),
        opt("swid", Shape::Text),
        opt("languages", Shape::List(&Shape::Form(Form::Language))),
        opt("vendor", Shape::Text),
        opt("version", Shape::Text),
    ],
);
pub(super) static URL: TypeSpec = observable("url", "6.15", &[req("value", Shape::Form(Form::Url))]);
pub(super) static USER_ACCOUNT: TypeSpec = extensible(
    "user-account",
    "6.16",
    &[
        opt("user_id", Shape::Text),
        opt("credential", Shape::Text),
        opt("account_login", Shape::Text),
        opt("account_type", Shape::Term(&v::ACCOUNT_TYPE)),
        opt("display_name", Shape::Text),
        opt("is_service_account", Shape::Boolean),
        opt("is_privileged", Shape::Boolean),
        opt("can_escalate_privs", Shape::Boolean),
        opt("is_disabled", Shape::Boolean),
        opt("account_created", Shape::Time),
        opt("account_expires", Shape::Time),
        opt("credential_last_changed", Shape::Time),
        opt("account_first_login", Shape::Time),
        opt("account_last_login", Shape::Time),
    ],
    &[extension(
        "unix-account-ext",
        "6.16.2",
        &[opt("gid", INTEGER), opt("groups", TEXTS), opt("home_dir", Shape::Text), opt("shell", Shape::Text)],
    )],
);
pub(super) static WINDOWS_REGISTRY_KEY: TypeSpec = observable(
    "windows-registry-key",
    "6.17",
    &[
        opt("key", Shape::Form(Form::RegistryKey)),
        opt(
            "values",
            Shape::List(&Shape::Object(
                "6.17.2",
                &[
                    opt("name", Shape::Text),
                    opt("data", Shape::Text),
                    opt("data_type", Shape::Term(&v::WINDOWS_REGISTRY_DATATYPE)),
                ],
            )),
        ),
        opt("modified_time", Shape::Time),
        opt("creator_user_ref", ACCOUNT_REF),
        opt("number_of_subkeys", INTEGER),
    ],
);
pub(super) static X509_CERTIFICATE: TypeSpec = observable(
    "x509-certificate",
    "6.18",
    &[
        opt("is_self_signed", Shape::Boolean),
        opt("hashes", Shape::Hashes),
        opt("version", Shape::Text),
        opt("serial_number", Shape::Text),
        opt("signature_algorithm", Shape::Text),
        opt("issuer", Shape::Text),
        opt("validity_not_before", Shape::Time),
        opt("validity_not_after", Shape::Time),
        opt("subject", Shape::Text),
        opt("subject_public_key_algorithm", Shape::Text),
        opt("subject_public_key_modulus", Shape::Text),
        opt("subject_public_key_exponent", INTEGER),
        opt("x509_v3_extensions", Shape::Object("6.18.2", X509_V3_EXTENSIONS)),
    ],
);
const X509_V3_EXTENSIONS: &[Property] = &[
    opt("basic_constraints", Shape::Text),
    opt("name_constraints", Shape::Text),
    opt("policy_constraints", Shape::Text),
    opt("key_usage", Shape::Text),
    opt("extended_key_usage", Shape::Text),
    opt("subject_key_identifier", Shape::Text),
    opt("authority_key_identifier", Shape::Text),
    opt("subject_alternative_name", Shape::Text),
    opt("issuer_alternative_name", Shape::Text),
    opt("subject_directory_attributes", Shape::Text),
    opt("crl_distribution_points", Shape::Text),
    opt("inhibit_any_policy", Shape::Text),
    opt("private_key_usage_period_not_before", Shape::Time),
    opt("private_key_usage_period_not_after", Shape::Time),
    opt("certificate_policies", Shape::Text),
    opt("policy_mappings", Shape::Text),
];
