//! What a machine must have, so that its absence is a failure and not a line to be overlooked.

/// A list of what may not be absent: kernel features (`vlan`) and tools (`ip`), or `all`.
///
/// ```
/// use netproof::run::Required;
/// let required = Required::parse("vlan, ip");
/// assert!(required.holds("ip"));
/// assert!(!required.holds("dummy"));
/// assert!(Required::parse("all").holds("dummy"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Required(Vec<String>);

impl Required {
    /// The variable of the environment that holds the list, for those who read the environment.
    pub const VARIABLE: &'static str = "NETPROOF_REQUIRE";

    /// Reads names with commas between. Every text is a list; one without a name requires nothing.
    pub fn parse(text: &str) -> Self {
        let names = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        Self(names.map(str::to_owned).collect())
    }

    /// Tells whether `name` may not be absent.
    pub fn holds(&self, name: &str) -> bool {
        self.0.iter().any(|it| it == "all" || it == name)
    }
}
