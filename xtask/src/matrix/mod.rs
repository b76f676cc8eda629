//! `cargo xtask matrix`: each release in each way to connect, with the functional tests on each, and a mix of faults.

mod table;

use crate::test::{Suite, Tally};
use crate::tree::{cargo, root};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use linger_testbed::{Auth, Bind, Cluster, KeyType, Mode, Release, Root};
use std::fs;
use std::process::{Command, ExitCode, Stdio};
use table::Table;

/// What to run.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these releases.
    #[arg(long, value_name = "RELEASE", value_delimiter = ',')]
    release: Vec<Release>,
    /// Only these ways to connect, as the table's head names them.
    #[arg(long, value_name = "WAY", value_delimiter = ',')]
    way: Vec<String>,
}

/// A way to connect: what the cluster asks of its clients.
struct Way {
    name: &'static str,
    auth: Auth,
    mode: Mode,
    key_type: Option<KeyType>,
    bind: Bind,
}

/// What a cluster asks for by default.
const DEFAULTS: Way =
    Way { name: "defaults", auth: Auth::Cephx, mode: Mode::Default, key_type: None, bind: Bind::Both };

const WAYS: [Way; 8] = [
    DEFAULTS,
    Way { name: "crc", mode: Mode::Crc, ..DEFAULTS },
    Way { name: "secure", mode: Mode::Secure, ..DEFAULTS },
    Way { name: "no auth", auth: Auth::None, ..DEFAULTS },
    Way { name: "aes", key_type: Some(KeyType::Aes), ..DEFAULTS },
    Way { name: "aes secure", mode: Mode::Secure, key_type: Some(KeyType::Aes), ..DEFAULTS },
    Way { name: "v1", bind: Bind::V1, ..DEFAULTS },
    Way { name: "v1 no auth", auth: Auth::None, bind: Bind::V1, ..DEFAULTS },
];

/// The table's last column: a random mix of faults, on clusters with the release's defaults.
const CHAOS: &str = "chaos";
/// How long the mix goes on.
const CHAOS_MINUTES: &str = "2";

/// Where the README has the table.
const BEGIN: &str = "<!-- cargo xtask matrix writes this -->\n";
const END: &str = "<!-- end -->\n";

/// Runs what was asked for, and writes it into the README.
///
/// # Errors
/// There can be no cluster here. Tests that fail are in the table, and in the exit code.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    linger_testbed::available()?;
    for way in &options.way {
        ensure!(names().any(|known| known == way), "no way to connect is called {way}");
    }
    let releases = if options.release.is_empty() { Release::ALL.to_vec() } else { options.release.clone() };
    let wanted = |way: &str| options.way.is_empty() || options.way.iter().any(|name| name == way);
    let mut all_well = true;
    for release in releases {
        let mut cells = Vec::new();
        let there = |way: &&Way| way.key_type.is_none() || release >= Release::Tentacle;
        for way in WAYS.iter().filter(|way| wanted(way.name)).filter(there) {
            let tally = cell(release, way).unwrap_or_else(|error| {
                eprintln!("{release}, {}: {error:#}", way.name);
                Tally { failed: 1, ..Tally::default() }
            });
            all_well &= tally.failed == 0;
            cells.push((way.name, text(&tally)));
        }
        if wanted(CHAOS) {
            let mix = chaos(release).unwrap_or_else(|error| {
                eprintln!("{release}, {CHAOS}: {error:#}");
                all_well = false;
                "**fail**".to_owned()
            });
            cells.push((CHAOS, mix));
        }
        cells.iter().for_each(|(name, cell)| println!("{release}, {name}: {cell}"));
        write(release, &cells)?;
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cell(release: Release, way: &Way) -> Result<Tally> {
    println!("\n=== {release}, {}", way.name);
    let mut cluster = Cluster::builder().release(release).auth(way.auth).mode(way.mode).bind(way.bind);
    if let Some(key_type) = way.key_type {
        cluster = cluster.key_type(key_type);
    }
    let cluster = cluster.boot()?;
    let suite = match (way.name, way.auth) {
        ("defaults", _) => Suite::Functional,
        (_, Auth::Cephx) => Suite::Shared,
        (_, Auth::None) => Suite::Keyless,
    };
    suite.run(release, cluster.conf())
}

/// The names of the table's columns.
fn names() -> impl Iterator<Item = &'static str> {
    WAYS.iter().map(|way| way.name).chain([CHAOS])
}

/// Runs a mix of faults, and says how it went.
fn chaos(release: Release) -> Result<String> {
    println!("\n=== {release}, {CHAOS}");
    let mut mix = cargo(&["run", "--quiet", "--package", "linger-chaos", "--", "--minutes", CHAOS_MINUTES]);
    let output = mix.env("LINGER_RELEASE", release.name()).stderr(Stdio::inherit()).output()?;
    let said = String::from_utf8(output.stdout)?;
    print!("{said}");
    ensure!(output.status.success(), "the mix failed");
    let row = said.lines().rfind(|line| line.starts_with("| mix of")).context("the mix gave no row")?;
    let cells: Vec<_> = row.split('|').map(str::trim).collect();
    let [_, _, notifies, _, _, lost, _, _, of_librados, _] = cells[..] else { bail!("a strange row: {row}") };
    Ok(format!("{notifies} notifies, {lost} lost in silence (librados {of_librados})"))
}

fn text(tally: &Tally) -> String {
    let skipped = tally.skipped.len();
    match (tally.failed, skipped) {
        (0, 0) => format!("{} pass", tally.passed),
        (0, _) => format!("{} pass, {skipped} skipped", tally.passed),
        (failed, _) => format!("{} pass, **{failed} fail**", tally.passed),
    }
}

/// The release's name with its exact version, which `ceph version 16.2.15 (..) pacific (stable)` has third.
fn version(release: Release) -> Result<String> {
    let said = Root::fetch(release)?.version()?;
    let number = said.split_whitespace().nth(2).context("no version")?.to_owned();
    Ok(format!("{} {number}", capitalized(release)))
}

fn today() -> Result<String> {
    let date = String::from_utf8(Command::new("date").arg("+%F").output()?.stdout)?;
    Ok(date.trim().to_owned())
}

/// Puts cells of a release into the README's table.
fn write(release: Release, cells: &[(&str, String)]) -> Result<()> {
    let path = root().join("README.md");
    let page = fs::read_to_string(&path)?;
    let (before, rest) = page.split_once(BEGIN).context("the README has no place for the table")?;
    let (table, after) = rest.split_once(END).context("the README's table has no end")?;
    let mut table = Table::read(table);
    table.set(&version(release)?, &today()?, cells);
    let table = table.markdown(&names().collect::<Vec<_>>());
    Ok(fs::write(path, format!("{before}{BEGIN}{table}{END}{after}"))?)
}

fn capitalized(release: Release) -> String {
    let mut name = release.name().to_owned();
    name[..1].make_ascii_uppercase();
    name
}
