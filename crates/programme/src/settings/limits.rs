//! Everything that can grow has a limit with a name.

use serde::Deserialize;

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:literal in $least:literal ..= $most:literal;)+) => {
        /// The programme's limits. What `programme.toml` leaves out has its default.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$doc])* #[doc = concat!("\n\nDefault ", stringify!($default), ", from ", stringify!($least), " to ", stringify!($most), ".")]
            pub $name: $type,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        /// `[limits]` as written.
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct RawLimits {
            $($name: Option<u64>,)+
        }

        impl RawLimits {
            /// The limits, with the default for each that is left out; `wrong` hears of each out of its range, by
            /// field, message and remedy.
            pub(super) fn checked(self, mut wrong: impl FnMut(&str, String, String)) -> Limits {
                let mut limits = Limits::default();
                $(if let Some(value) = self.$name {
                    match <$type>::try_from(value) {
                        Ok(value) if ($least..=$most).contains(&value) => limits.$name = value,
                        Ok(_) | Err(_) => wrong(
                            stringify!($name),
                            format!("is {value}"),
                            format!("use {} to {}", $least, $most),
                        ),
                    }
                })+
                if limits.page_objects_default > limits.page_objects_max {
                    wrong(
                        "page_objects_default",
                        format!("is {}, more than `page_objects_max`", limits.page_objects_default),
                        format!("use at most {}", limits.page_objects_max),
                    );
                }
                limits
            }
        }
    };
}

limits! {
    /// The largest body of one request, as sent.
    body_size_max_bytes: usize = 33_554_432 in 1_024 ..= 1_073_741_824;
    /// The largest body after decompression.
    decompressed_size_max_bytes: usize = 67_108_864 in 1_024 ..= 1_073_741_824;
    /// The largest single object.
    object_size_max_bytes: usize = 4_194_304 in 1_024 ..= 67_108_864;
    /// How deep objects and lists may be nested in an object. Deeper ones are found in attacks, not in reports.
    nesting_depth_max: usize = 100 in 8 ..= 1_000;
    /// How many objects one POST may carry.
    envelope_objects_max: usize = 10_000 in 1 ..= 1_000_000;
    /// How many objects a page holds if the client names no limit.
    page_objects_default: usize = 1_000 in 1 ..= 10_000;
    /// How many objects a page holds at most.
    page_objects_max: usize = 1_000 in 1 ..= 10_000;
    /// How long a status resource is kept. TAXII 2.1 §4.3: at least 24 hours.
    status_retention_hours: u32 = 24 in 24 ..= 8_760;
    /// How long a verified credential is remembered.
    credential_cache_seconds: u32 = 60 in 1 ..= 3_600;
    /// How many failed logins one address has in a minute before it is refused unseen.
    failed_attempts_per_minute: u32 = 10 in 1 ..= 10_000;
}
