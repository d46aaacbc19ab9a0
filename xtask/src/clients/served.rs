//! What the real clients talk to: one node over the embedded store, or three over one database behind a balancer. Each
//! script gets a store of its own, with two accounts and a site.

use std::{
    io::Write as _,
    net::SocketAddr,
    process::{Command, Stdio},
};

use cluster::{HaProxy, HaProxyOptions, Node, NodeOptions, Options, Postgres, process::Folder};

use super::binary;

/// Accounts that the scripts use.
const ACCOUNTS: &[(&str, &str)] = &[("anna@example.com", "anna-password-1"), ("bert@example.com", "bert-password-2")];
/// Nodes of a fleet.
const NODES: usize = 3;

/// Something that serves.
pub(super) struct Served {
    balancer: Option<HaProxy>,
    nodes: Vec<Node>,
    data: String,
    /// Of the embedded store.
    _folder: Option<Folder>,
}

/// What fleets are made over.
pub(super) struct Fleets(Postgres);

impl Fleets {
    /// Starts a database, and sees that there is a balancer.
    pub(super) fn prepare() -> cluster::Result<Self> {
        HaProxy::start(&[], &HaProxyOptions::default())?;
        Ok(Self(Postgres::start(Options { fsync: false, ..Options::default() })?))
    }

    /// Three nodes over an empty store.
    pub(super) fn fresh(&self) -> Result<Served, String> {
        let data = self.0.fresh_url();
        let nodes = (0..NODES).try_fold(Vec::new(), |mut nodes, _| {
            if nodes.is_empty() {
                fill(&data)?;
            }
            nodes.push(node(&data)?);
            Ok::<_, String>(nodes)
        })?;
        let addresses: Vec<SocketAddr> = nodes.iter().map(Node::address).collect();
        let balancer = HaProxy::start(&addresses, &HaProxyOptions::default()).map_err(|error| error.to_string())?;
        Ok(Served { balancer: Some(balancer), nodes, data, _folder: None })
    }
}

impl Served {
    /// One node over an empty embedded store.
    pub(super) fn embedded() -> Result<Self, String> {
        let folder = Folder::new().map_err(|error| error.to_string())?;
        let data = folder.join("data").display().to_string();
        fill(&data)?;
        Ok(Self { balancer: None, nodes: vec![node(&data)?], data, _folder: Some(folder) })
    }

    /// The URL of it, without a slash at the end.
    pub(super) fn url(&self) -> String {
        let of_node = || self.nodes.first().map(Node::url).unwrap_or_default();
        self.balancer.as_ref().map_or_else(of_node, HaProxy::url)
    }

    /// The store, as `--data` takes it.
    pub(super) fn data(&self) -> &str {
        &self.data
    }

    /// What the nodes have logged.
    pub(super) fn logs(&self) -> String {
        self.nodes.iter().map(|node| format!("--- log of {}\n{}", node.url(), node.log())).collect()
    }

    /// Ends all of it, in an orderly way.
    pub(super) fn stop(mut self) -> Result<(), String> {
        for node in &mut self.nodes {
            let code = node.terminate().map_err(|error| error.to_string())?;
            if code != 0 {
                return Err(format!("the server ended with {code}:\n{}", node.log()));
            }
        }
        Ok(())
    }
}

fn node(data: &str) -> Result<Node, String> {
    let options = NodeOptions {
        program: binary(),
        arguments: ["--data", data].map(Into::into).to_vec(),
        environment: vec![("RUST_LOG".into(), "warn".into())],
        clock_ahead_seconds: 0,
    };
    Node::start(options).map_err(|error| error.to_string())
}

/// Adds the accounts and the site.
fn fill(data: &str) -> Result<(), String> {
    for (address, password) in ACCOUNTS {
        command(&["account", "add", address, "--password-stdin", "--data", data], password)?;
    }
    command(&["site", "add", "/sites/team", "--title", "Team", "--owner", "anna@example.com", "--data", data], "")
}

fn command(arguments: &[&str], input: &str) -> Result<(), String> {
    let mut child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", binary().display()))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A command that asks for nothing may have ended.
        let _ = writeln!(pipe, "{input}");
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("highwater {} failed", arguments.join(" "))),
    }
}
