//! The configuration file of one server.

use std::path::Path;

/// What the file is made from; everything listens on the loopback address only.
#[derive(Debug, Clone)]
pub(crate) struct ServerConfig {
    pub(crate) server_name: String,
    /// `None` lets the server choose.
    pub(crate) port: Option<u16>,
    pub(crate) monitoring: bool,
    pub(crate) max_payload: Option<u32>,
    pub(crate) sync_always: bool,
    pub(crate) cluster: Option<ClusterConfig>,
    pub(crate) extra: String,
}

/// The part of a cluster node.
#[derive(Debug, Clone)]
pub(crate) struct ClusterConfig {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) routes: Vec<u16>,
}

/// The ports that a server really listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) client: u16,
    pub(crate) monitoring: Option<u16>,
}

impl ServerConfig {
    /// The text of the file. `known` are the ports of an earlier run, to be kept; without them the server chooses and
    /// writes its choice into `run_dir`.
    pub(crate) fn render(&self, known: Option<Ports>, store: &Path, run_dir: &Path) -> String {
        // -1 is the server's word for "any free port": no race between choosing a port and listening on it.
        let number = |port: Option<u16>| port.map_or("-1".to_owned(), |p| p.to_string());
        let client = number(known.map(|k| k.client).or(self.port));
        let mut lines = vec![
            format!("server_name: {}", quote(&self.server_name)),
            "host: \"127.0.0.1\"".to_owned(),
            format!("port: {client}"),
            format!("ports_file_dir: {}", quote(&run_dir.to_string_lossy())),
        ];
        if self.monitoring {
            let port = number(known.and_then(|k| k.monitoring));
            lines.push(format!("http: \"127.0.0.1:{port}\""));
        }
        if let Some(bytes) = self.max_payload {
            lines.push(format!("max_payload: {bytes}"));
        }
        lines.push("jetstream {".to_owned());
        lines.push(format!("  store_dir: {}", quote(&store.to_string_lossy())));
        if self.sync_always {
            lines.push("  sync_interval: always".to_owned());
        }
        lines.push("}".to_owned());
        if let Some(cluster) = &self.cluster {
            lines.push(cluster.render());
        }
        lines.push(self.extra.clone());
        lines.join("\n") + "\n"
    }
}

impl ClusterConfig {
    fn render(&self) -> String {
        let routes: Vec<String> = self
            .routes
            .iter()
            .map(|port| format!("\"nats://127.0.0.1:{port}\""))
            .collect();
        format!(
            "cluster {{\n  name: {}\n  listen: \"127.0.0.1:{}\"\n  routes: [{}]\n}}",
            quote(&self.name),
            self.port,
            routes.join(", ")
        )
    }
}

/// A string of the server's configuration language; unquoted, a `$` or a number would mean something else.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ServerConfig {
        ServerConfig {
            server_name: "a \"b\"".to_owned(),
            port: None,
            monitoring: true,
            max_payload: None,
            sync_always: false,
            cluster: None,
            extra: String::new(),
        }
    }

    #[test]
    fn the_first_run_lets_the_server_choose_its_ports() {
        let text = config().render(None, Path::new("/s"), Path::new("/r"));
        assert!(text.contains("port: -1\n"), "{text}");
        assert!(text.contains("http: \"127.0.0.1:-1\"\n"), "{text}");
        assert!(text.contains(r#"server_name: "a \"b\"""#), "{text}");
    }

    #[test]
    fn a_later_run_keeps_the_ports_of_the_first() {
        let known = Ports {
            client: 4001,
            monitoring: Some(4002),
        };
        let text = config().render(Some(known), Path::new("/s"), Path::new("/r"));
        assert!(text.contains("port: 4001\n"), "{text}");
        assert!(text.contains("http: \"127.0.0.1:4002\"\n"), "{text}");
    }
}
