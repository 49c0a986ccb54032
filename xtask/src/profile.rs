//! The parts of the tests that are run by themselves: profiles of nextest, whose file says which tests they leave out.

/// Which of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    /// The inner loop, under two minutes once everything is built.
    Quick,
    /// The behaviours through a transaction pooler.
    Pooled,
    /// What takes minutes, and is ignored else.
    Slow,
}

impl Part {
    /// The profile of nextest.
    pub(crate) fn profile(self) -> Option<&'static str> {
        match self {
            Self::Whole | Self::Slow => None,
            Self::Quick => Some("quick"),
            Self::Pooled => Some("pooled"),
        }
    }

    /// How the names begin that its profile leaves out, for a machine without nextest.
    pub(crate) fn left_out(self) -> Vec<&'static str> {
        let config = include_str!("../../.config/nextest.toml");
        let profile = self.profile().map(|name| format!("[profile.{name}]"));
        let names = profile
            .and_then(|profile| config.split_once(&profile))
            .and_then(|(_, filter)| filter.split_once("test(/^("))
            .and_then(|(_, names)| names.split_once(")/)"));
        let lines = names.map_or("", |(names, _)| names).lines();
        lines.map(|line| line.trim_matches(['|', '\\'])).filter(|name| !name.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that no test has any more would make the inner loop slow again, and no report would say why.
    #[test]
    fn whatever_is_left_out_exists() {
        let root = crate::root();
        for part in [Part::Quick, Part::Pooled] {
            assert!(part.left_out().len() > 10, "{part:?}");
            for start in part.left_out() {
                let (module, test) = start.rsplit_once("::").expect("a module");
                let file = module.replace("::", "/");
                let places = ["tests/it", "cli/tests/e2e", "cli/tests/bad_input"];
                let found = places.iter().flat_map(|place| {
                    [format!("{place}/{file}.rs"), format!("{place}/{file}/mod.rs")]
                });
                let texts: Vec<String> = found
                    .filter_map(|path| std::fs::read_to_string(root.join(path)).ok())
                    .collect();
                assert!(!texts.is_empty(), "no module {module}");
                // a module may be nothing but a list of others
                let named = |text: &String| test.is_empty() || text.contains(&format!("fn {test}"));
                assert!(texts.iter().any(named), "no {start}");
            }
        }
        assert!(Part::Whole.left_out().is_empty());
    }
}
