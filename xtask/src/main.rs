//! The project's chores: `cargo xtask --help`.

mod chaos;
mod cluster;
mod demo;
mod idle;
mod matrix;
mod mutants;
mod sim;
mod test;
mod tree;

use anyhow::Result;
use clap::Parser;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's chores")]
enum Chore {
    /// Faults on real clusters, with watchers of linger and of librados side by side.
    #[command(disable_help_flag = true)]
    Chaos(chaos::Options),
    /// A real Ceph cluster on loopback, to try things on.
    #[command(subcommand)]
    Cluster(cluster::Verb),
    /// See it work: a real cluster, a watch by linger, a notify by Ceph's own rados.
    Demo(demo::Options),
    /// What watches that nothing happens to cost on each runtime.
    Idle(idle::Options),
    /// Every release in every way to connect, with the functional tests on each: half an hour.
    Matrix(matrix::Options),
    /// Clients and a cluster in a simulated world, from seeds.
    #[command(disable_help_flag = true)]
    Sim(sim::Options),
    /// Everything that has to hold: lints, tests, real clusters.
    Test(test::Options),
}

fn main() -> Result<ExitCode> {
    match Chore::parse() {
        Chore::Chaos(options) => return chaos::run(&options),
        Chore::Cluster(verb) => cluster::run(verb)?,
        Chore::Demo(options) => demo::run(&options)?,
        Chore::Idle(options) => idle::run(&options)?,
        Chore::Matrix(options) => return matrix::run(&options),
        Chore::Sim(options) => return sim::run(&options),
        Chore::Test(options) => return test::run(&options),
    }
    Ok(ExitCode::SUCCESS)
}
