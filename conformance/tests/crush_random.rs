//! Mappings of random CRUSH maps, compared with `crushtool --test`.

use anyhow::{Context, Result, ensure};
use linger_conformance::{CrushText, Rng, crush_text, tools};
use linger_core::placement::crush::Mapper;
use linger_testbed::{Release, Root};
use linger_wire::{Decode, Encode, crush::CrushMap};
use std::{collections::BTreeMap, fs, path::Path};

const MAPS: u64 = 120;
const INPUTS: u32 = 48;
const SIZES: std::ops::RangeInclusive<usize> = 1..=6;

#[test]
fn random_maps_map_as_crushtool_does() -> Result<()> {
    let Some(root) = tools(Release::Tentacle, "random_maps_map_as_crushtool_does")? else {
        return Ok(());
    };
    let seed = Rng::seed();
    let folder = tempfile::tempdir()?;
    let mut mappings = 0;
    for n in 0..MAPS {
        let mut rng = Rng::new(seed.wrapping_add(n));
        let map = crush_text(&mut rng, n % 3 == 0);
        mappings += compare(&root, folder.path(), &map, &mut rng)
            .with_context(|| format!("LINGER_SEED={seed}, map {n}:\n{}", map.text))?;
    }
    println!("{mappings} mappings of {MAPS} maps are equal");
    Ok(())
}

/// Compares all mappings of one map; returns how many there were.
fn compare(root: &Root, folder: &Path, map: &CrushText, rng: &mut Rng) -> Result<usize> {
    let (text, binary) = (folder.join("text"), folder.join("map"));
    fs::write(&text, &map.text)?;
    let mut compile = root.command("crushtool");
    run(compile.arg("-c").arg(&text).arg("-o").arg(&binary).arg("--enable-unsafe-tunables"))?;
    let bytes = fs::read(&binary)?;
    let decoded = CrushMap::decode(&bytes)?;
    ensure!(decoded.to_bytes() == bytes, "the map re-encodes differently");

    let mut test = root.command("crushtool");
    test.arg("-i").arg(&binary).args(["--test", "--show-mappings", "--min-x", "0"]);
    test.arg("--max-x").arg((INPUTS - 1).to_string());
    test.arg("--min-rep").arg(SIZES.start().to_string()).arg("--max-rep").arg(SIZES.end().to_string());
    let mut weights = vec![0; decoded.max_devices as usize];
    for &device in &map.devices {
        // Sixty-fourths survive the way through text.
        let weight = if rng.one_in(4) { rng.within(0..64) } else { 64 };
        weights[device as usize] = weight as u32 * 0x400;
        test.arg("--weight").arg(device.to_string()).arg((weight as f64 / 64.0).to_string());
    }
    let listing = run(&mut test)?;
    let expected = parse(&listing)?;

    let args = decoded.choose_args_of(0);
    let mut mapper = Mapper::new(&decoded, &weights);
    let mut compared = 0;
    for rule in 0..decoded.rules.len() as u32 {
        for size in SIZES {
            for x in 0..INPUTS {
                let ours = mapper.map_rule(rule, x, size, args);
                let theirs = expected.get(&(rule, size, x)).context("crushtool left out a mapping")?;
                ensure!(ours == theirs, "rule {rule} size {size} x {x}: {ours:?}, crushtool says {theirs:?}");
                compared += 1;
            }
        }
    }
    ensure!(compared == expected.len(), "crushtool has {} mappings, here are {compared}", expected.len());
    Ok(compared)
}

/// Reads `rule 0 (name), x = 0..9, numrep = 1..6` and `CRUSH rule 0 x 0 [1,2]` lines.
fn parse(listing: &str) -> Result<BTreeMap<(u32, usize, u32), Vec<i32>>> {
    let mut mappings = BTreeMap::new();
    let mut seen = BTreeMap::new();
    for line in listing.lines() {
        let Some(line) = line.strip_prefix("CRUSH rule ") else {
            continue;
        };
        let (rule, rest) = line.split_once(" x ").context("no input")?;
        let (x, items) = rest.split_once(' ').context("no items")?;
        let (rule, x): (u32, u32) = (rule.parse()?, x.parse()?);
        let items = items.trim_matches(['[', ']']);
        let items =
            items.split(',').filter(|item| !item.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
        // Sizes are not printed, but come in order.
        let size = seen.entry((rule, x)).or_insert(*SIZES.start());
        mappings.insert((rule, *size, x), items);
        *size += 1;
    }
    Ok(mappings)
}

/// Runs a tool to its end; returns both of its outputs, since crushtool uses either.
fn run(command: &mut std::process::Command) -> Result<String> {
    let output = command.output()?;
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "crushtool: {}: {text}", output.status);
    Ok(text)
}
