//! What is known of scenarios that come out otherwise with a driver's program.

use crate::scenario::Deviation;

/// Driver, scenario, why it comes out otherwise, and where more is said of it.
const DEVIATIONS: &[(&str, &str, &str, &str)] = &[];

/// Returns what is known of a driver's program.
pub(crate) fn deviations(driver: &str) -> Vec<Deviation> {
    let of_driver = DEVIATIONS.iter().filter(|(of, ..)| *of == driver);
    of_driver
        .map(|(_, scenario, reason, link)| Deviation {
            scenario: (*scenario).to_owned(),
            reason: (*reason).to_owned(),
            link: Some((*link).to_owned()),
        })
        .collect()
}
