//! Random CRUSH maps in the language of `crushtool -c`.

use crate::Rng;
use std::fmt::Write;

/// A map as text, with what a test has to know about it.
#[derive(Debug, Clone)]
pub struct CrushText {
    /// What `crushtool -c --enable-unsafe-tunables` compiles.
    pub text: String,
    /// The ids of its devices.
    pub devices: Vec<i32>,
}

const TYPES: [&str; 4] = ["osd", "host", "rack", "root"];
const ALGORITHMS: [&str; 5] = ["uniform", "list", "tree", "straw", "straw2"];
const CLASSES: [&str; 2] = ["hdd", "ssd"];

/// Makes a random map: bucket algorithms, tunables, weights, device classes, replacement weights
/// for pool 0, and rules of all kinds. With `msr` it has MSR rules, and a regular hierarchy, since
/// Ceph aborts where an MSR rule meets an empty bucket or a device at the wrong level.
#[must_use]
pub fn crush_text(rng: &mut Rng, msr: bool) -> CrushText {
    let mut map = Maker {
        text: String::new(),
        devices: Vec::new(),
        buckets: Vec::new(),
        algorithm: (!rng.one_in(3)).then(|| rng.pick(&ALGORITHMS)),
        classes: rng.one_in(3),
        class: None,
        msr,
        rng,
    };
    map.tunables();
    let tree = map.tree();
    map.device_lines();
    for (number, name) in TYPES.iter().enumerate() {
        map.line(&format!("type {number} {name}"));
    }
    map.bucket(&tree);
    let rules = map.rng.within(5..9);
    for number in 0..rules {
        map.rule(number);
    }
    if map.rng.one_in(3) {
        map.choose_args();
    }
    CrushText { text: map.text, devices: map.devices }
}

/// A device or a bucket with what is below it.
enum Tree {
    Device(i32),
    Bucket { level: usize, below: Vec<Tree> },
}

struct Maker<'r> {
    rng: &'r mut Rng,
    text: String,
    devices: Vec<i32>,
    /// Id, name, level and number of items of each bucket.
    buckets: Vec<(i64, String, usize, usize)>,
    /// The algorithm of all buckets, unless each has its own.
    algorithm: Option<&'static str>,
    /// Whether devices may have classes, and one that some device has.
    classes: bool,
    class: Option<&'static str>,
    msr: bool,
}

impl Maker<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn tunables(&mut self) {
        // Total tries, local tries, local fallback tries, descend once, vary r, stable, straw calc
        let profiles = [
            [19, 2, 5, 0, 0, 0, 0],
            [50, 0, 0, 1, 0, 0, 0],
            [50, 0, 0, 1, 1, 0, 0],
            [50, 0, 0, 1, 1, 0, 1],
            [50, 0, 0, 1, 1, 1, 1],
        ];
        let mut values = self.rng.pick(&profiles);
        if self.rng.one_in(2) {
            let bounds = [30, 4, 7, 2, 5, 2, 2];
            values = bounds.map(|bound| self.rng.within(0..bound));
        }
        let names = [
            "choose_total_tries",
            "choose_local_tries",
            "choose_local_fallback_tries",
            "chooseleaf_descend_once",
            "chooseleaf_vary_r",
            "chooseleaf_stable",
            "straw_calc_version",
        ];
        for (name, value) in names.iter().zip(values) {
            self.line(&format!("tunable {name} {value}"));
        }
        self.line("tunable allowed_bucket_algs 62");
        if self.msr && self.rng.one_in(2) {
            let (descents, tries) = (self.rng.within(1..6), self.rng.within(1..6));
            self.line(&format!("tunable msr_descents {descents}\ntunable msr_collision_tries {tries}"));
        }
    }

    fn tree(&mut self) -> Tree {
        let racks = if self.rng.one_in(3) && !self.msr { 0 } else { self.rng.within(1..5) };
        let mut below: Vec<_> = (0..racks).map(|_| self.subtree(2)).collect();
        if racks == 0 {
            below = (0..self.rng.within(1..9)).map(|_| self.subtree(1)).collect();
        }
        if self.devices.is_empty() || (!self.msr && self.rng.one_in(4)) {
            let device = self.device();
            below.push(device);
        }
        Tree::Bucket { level: 3, below }
    }

    fn subtree(&mut self, level: usize) -> Tree {
        if level == 0 {
            return self.device();
        }
        let empty = !self.msr && self.rng.one_in(12);
        let width = if empty { 0 } else { self.rng.within(1..6) };
        Tree::Bucket { level, below: (0..width).map(|_| self.subtree(level - 1)).collect() }
    }

    fn device(&mut self) -> Tree {
        // Ids may have holes.
        let gap = if self.rng.one_in(10) { 2 } else { 1 };
        let id = self.devices.last().map_or(0, |last| last + gap);
        self.devices.push(id);
        Tree::Device(id)
    }

    fn device_lines(&mut self) {
        for id in self.devices.clone() {
            let class = if self.classes && !self.rng.one_in(5) {
                let class = self.rng.pick(&CLASSES);
                self.class = Some(class);
                format!(" class {class}")
            } else {
                String::new()
            };
            self.line(&format!("device {id} osd.{id}{class}"));
        }
    }

    /// Writes a bucket after those below it; returns its name.
    fn bucket(&mut self, tree: &Tree) -> String {
        let (level, below) = match tree {
            Tree::Device(id) => return format!("osd.{id}"),
            Tree::Bucket { level, below } => (*level, below),
        };
        let items: Vec<_> = below.iter().map(|item| self.bucket(item)).collect();
        let name = format!("{}{}", TYPES[level], self.buckets.len());
        let id = -1 - self.buckets.len() as i64;
        let mut algorithm = self.algorithm.unwrap_or_else(|| self.rng.pick(&ALGORITHMS));
        // Ceph can not make shadows of uniform buckets, and those of tree buckets have memory that
        // was never written for weights, by which it then chooses items beyond the bucket's end.
        if self.classes && matches!(algorithm, "uniform" | "tree") {
            algorithm = self.rng.pick(&["list", "straw", "straw2"]);
        }
        self.line(&format!("{} {name} {{\n id {id}\n alg {algorithm}\n hash 0", TYPES[level]));
        for (item, weight) in items.iter().zip(self.weights(algorithm, items.len())) {
            let line = format!(" item {item} weight {}.{:05}", weight / 100_000, weight % 100_000);
            self.line(&line);
        }
        self.line("}");
        self.buckets.push((id, name.clone(), level, items.len()));
        name
    }

    /// Draws what the items of a bucket weigh, in hundred-thousandths.
    fn weights(&mut self, algorithm: &str, items: usize) -> Vec<i64> {
        let same = self.rng.within(1..400_000);
        let draw = |rng: &mut Rng| match rng.within(0..8) {
            _ if algorithm == "uniform" => same,
            0 => 0,
            1..4 => 100_000,
            _ => rng.within(1..400_000),
        };
        let mut weights: Vec<_> = (0..items).map(|_| draw(self.rng)).collect();
        // In a tree without weight Ceph goes to the last leaf, which is beyond the items unless they fill the tree:
        // what it finds there in memory may be 0, a device.
        if algorithm == "tree" && !items.is_power_of_two() && weights.iter().all(|weight| *weight == 0) {
            weights.iter_mut().take(1).for_each(|weight| *weight = 100_000);
        }
        weights
    }

    fn rule(&mut self, number: i64) {
        let msr = self.msr && self.rng.one_in(2);
        let kinds = if msr { ["msr_firstn", "msr_indep"] } else { ["replicated", "erasure"] };
        let kind = self.rng.pick(&kinds);
        self.line(&format!("rule r{number} {{\n id {number}\n type {kind}"));
        if msr {
            self.msr_steps();
        } else {
            self.classic_steps(kind == "erasure");
        }
        self.line("}");
    }

    fn take(&mut self) {
        let root = self.buckets.last().map(|bucket| bucket.1.clone()).unwrap_or_default();
        // The shadow tree of a class may have empty buckets.
        let class = self.class.filter(|_| !self.msr && self.rng.one_in(2));
        let class = class.map_or(String::new(), |class| format!(" class {class}"));
        self.line(&format!(" step take {root}{class}"));
    }

    fn classic_steps(&mut self, erasure: bool) {
        let settings = [
            ("set_choose_tries", 100),
            ("set_chooseleaf_tries", 8),
            ("set_choose_local_tries", 4),
            ("set_choose_local_fallback_tries", 6),
            ("set_chooseleaf_vary_r", 4),
            ("set_chooseleaf_stable", 2),
        ];
        for (name, bound) in settings {
            if self.rng.one_in(5) {
                let value = self.rng.within(0..bound);
                self.line(&format!(" step {name} {value}"));
            }
        }
        let mut mode = if erasure { "indep" } else { "firstn" };
        if self.rng.one_in(8) {
            mode = self.rng.pick(&["firstn", "indep"]);
        }
        for _ in 0..self.rng.pick(&[1, 1, 1, 2]) {
            if self.rng.one_in(12) {
                let device = self.rng.pick(&self.devices.clone());
                self.line(&format!(" step take osd.{device}\n step emit"));
                continue;
            }
            self.take();
            if self.rng.one_in(2) {
                let (number, level) = (self.rng.pick(&[0, 0, 1, 2, 3, -1]), self.rng.pick(&[1, 2]));
                self.line(&format!(" step choose {mode} {number} type {}", TYPES[level]));
            }
            let number = self.rng.pick(&[0, 0, 0, 1, 2, 3, -1, -2]);
            let (choose, level) =
                self.rng.pick(&[("choose", 0), ("chooseleaf", 0), ("chooseleaf", 1), ("chooseleaf", 2)]);
            self.line(&format!(" step {choose} {mode} {number} type {}\n step emit", TYPES[level]));
        }
    }

    fn msr_steps(&mut self) {
        for name in ["set_msr_descents", "set_msr_collision_tries"] {
            if self.rng.one_in(4) {
                let value = self.rng.within(1..9);
                self.line(&format!(" step {name} {value}"));
            }
        }
        for _ in 0..self.rng.pick(&[1, 1, 2]) {
            self.take();
            let levels = self.rng.pick(&[&[0][..], &[1, 0], &[2, 0], &[2, 1, 0]]);
            for level in levels {
                let number = self.rng.pick(&[0, 1, 2, 2, 3, 4]);
                self.line(&format!(" step choosemsr {number} type {}", TYPES[*level]));
            }
            self.line(" step emit");
        }
    }

    fn choose_args(&mut self) {
        let mut text = "choose_args 0 {\n".to_owned();
        for (id, _, _, items) in self.buckets.clone() {
            if items == 0 || self.rng.one_in(4) {
                continue;
            }
            let _ = write!(text, " {{\n  bucket_id {id}\n  weight_set [\n");
            for _ in 0..self.rng.within(1..4) {
                text.push_str("   [");
                for _ in 0..items {
                    let weight = self.rng.within(0..400);
                    let _ = write!(text, " {}.{:02}", weight / 100, weight % 100);
                }
                text.push_str(" ]\n");
            }
            text.push_str("  ]\n");
            if self.rng.one_in(3) {
                text.push_str("  ids [");
                for _ in 0..items {
                    let _ = write!(text, " {}", self.rng.within(-1000..0));
                }
                text.push_str(" ]\n");
            }
            text.push_str(" }\n");
        }
        text.push('}');
        self.line(&text);
    }
}
