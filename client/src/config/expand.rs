//! Metavariables in values: `$cluster`, `$name`, `${other_option}`.
//!
//! Facts: `common/config.cc` (`_expand_meta`), and what `ceph-conf` of Ceph 16 prints.
//!
//! Unlike Ceph, which knows all of its options, this expands those which are set or known here, and it
//! keeps what stands before `$home` and inside of a `${` without its end (Ceph 16 drops both).

/// Where the values of metavariables and options come from.
pub(crate) trait Variables {
    /// The value of `$name` that is not the one of an option.
    fn meta(&self, name: &str) -> Option<String>;
    /// The value of an option before expansion.
    fn option(&self, name: &str) -> Option<String>;
}

/// Replaces the metavariables in `text`; what is unknown stays, and so does an option that refers to
/// itself, over whatever others.
pub(crate) fn expand(text: &str, variables: &dyn Variables) -> String {
    let mut expansion = Expansion { variables, open: Vec::new(), left: OPTIONS_MAX, out: String::new() };
    expansion.push(text);
    expansion.out
}

/// The most options put into one value: each naming another twice, and so on, would never end.
const OPTIONS_MAX: usize = 1000;

struct Expansion<'a> {
    variables: &'a dyn Variables,
    /// The options being expanded, outermost first.
    open: Vec<String>,
    /// How many more options may be put in.
    left: usize,
    out: String,
}

impl Expansion<'_> {
    fn push(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, variable) = rest.split_at(at);
            self.out.push_str(before);
            let (name, len) = name_of(variable);
            let (written, after) = variable.split_at(len);
            rest = after;
            if let Some(value) = self.variables.meta(name) {
                self.out.push_str(&value);
                continue;
            }
            match self.variables.option(name) {
                Some(value) if self.left > 0 && !self.open.iter().any(|option| option == name) => {
                    self.left -= 1;
                    self.open.push(name.to_owned());
                    self.push(&value);
                    self.open.pop();
                }
                _ => self.out.push_str(written),
            }
        }
        self.out.push_str(rest);
    }
}

/// The name in `$name` or `${name}`, and the length of the whole; of `$` alone if it is neither.
fn name_of(variable: &str) -> (&str, usize) {
    let end = |from: &str| from.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(from.len());
    if let Some(inner) = variable.strip_prefix("${") {
        let (name, after) = inner.split_at(end(inner));
        if after.starts_with('}') && !name.is_empty() { (name, name.len() + 3) } else { ("", 1) }
    } else {
        let from = variable.strip_prefix('$').unwrap_or_default();
        let name = from.split_at(end(from)).0;
        (name, name.len() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Fixed;

    impl Variables for Fixed {
        fn meta(&self, name: &str) -> Option<String> {
            let value = match name {
                "cluster" => "47",
                "type" => "client",
                "id" | "num" => "x",
                "name" => "client.x",
                "home" => "/root",
                _ => return None,
            };
            Some(value.to_owned())
        }

        fn option(&self, name: &str) -> Option<String> {
            let value = match name {
                "mon_host" => "1.1.1.1",
                "log_file" => "a/$admin_socket",
                "admin_socket" => "b/$log_file/c",
                "twice_a" => "$twice_b$twice_b",
                "twice_b" => "$twice_c$twice_c",
                "twice_c" => "$id-",
                _ => return None,
            };
            Some(value.to_owned())
        }
    }

    /// Results of `ceph-conf` of Ceph 16.2.15, but where the comment at the top says otherwise.
    #[test]
    fn values_as_ceph_conf_has_them() {
        for (text, expected) in [
            ("$cluster/$type/$id/$name/$num", "47/client/x/client.x/x"),
            ("${cluster}x ${nope} $nope", "47x ${nope} $nope"),
            ("$ $$ $9 $", "$ $$ $9 $"),
            ("$mon_host", "1.1.1.1"),
            ("$log_file", "a/b/$log_file/c"),
            ("$admin_socket", "b/a/$admin_socket/c"),
            ("$home/x", "/root/x"),
            ("a$home/x ${home ${} ${9}", "a/root/x ${home ${} ${9}"),
            ("$twice_a", "x-x-x-x-"),
            ("$clusterx $Cluster", "$clusterx $Cluster"),
        ] {
            assert_eq!(expand(text, &Fixed), expected, "{text}");
        }
    }

    struct Doubling;

    impl Variables for Doubling {
        fn meta(&self, _: &str) -> Option<String> {
            None
        }

        /// `$a` is `$aa$aa`, `$aa` is `$aaa$aaa`, and so on.
        fn option(&self, name: &str) -> Option<String> {
            (name.len() < 60).then(|| format!("${name}a${name}a"))
        }
    }

    #[test]
    fn growth_is_bounded() {
        assert!(expand("$a", &Doubling).len() < 61 * 2 * OPTIONS_MAX);
    }

    proptest! {
        #[test]
        fn text_without_a_known_variable_stays(text in "[A-Z0-9${}_ /]{0,30}") {
            prop_assert_eq!(expand(&text, &Fixed), text);
        }
    }
}
