//! What an implementation says that it needs, held against the world that it is in.

use std::path::Path;

use super::OperationError;
use super::programs::is_there;
use super::protocol::Requires;
use crate::world::Tier;

/// Says what of it is not in this world, which is of that tier.
///
/// # Errors
///
/// [`OperationError::NoProgram`] or [`OperationError::Needs`], for the first that is missing.
pub(crate) fn meet(name: &str, requires: &Requires, tier: Tier) -> Result<(), OperationError> {
    let Requires {
        tier: least,
        devices,
        binaries,
        writes: _,
    } = requires;
    if let Some(binary) = binaries.iter().find(|it| !is_there(it)) {
        return Err(OperationError::NoProgram(binary.clone()));
    }
    let needs = |what: String| OperationError::Needs {
        implementation: name.to_owned(),
        what,
    };
    if let Some(device) = devices.iter().find(|it| !Path::new(it).exists()) {
        return Err(needs(format!("`{device}`, which is not in this world")));
    }
    let least = least.unwrap_or_default();
    let rank = |tier| Tier::ALL.iter().position(|it| *it == tier);
    if rank(least) > rank(tier) {
        let (least, has) = (least.word(), tier.word());
        return Err(needs(format!(
            "the tier `{least}`, and this is `{has}`: `--tier {least}` makes the other"
        )));
    }
    Ok(())
}
