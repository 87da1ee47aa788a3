//! The configuration file of one server.

use std::path::Path;

/// What the file is made from; everything listens on the loopback address only.
#[derive(Debug, Clone)]
pub(crate) struct ServerConfig {
    pub(crate) server_name: String,
    /// What the user chose, if so.
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

/// The ports that a server listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) client: u16,
    pub(crate) monitoring: Option<u16>,
}

impl ServerConfig {
    /// The text of the file.
    pub(crate) fn render(&self, ports: Ports, store: &Path) -> String {
        let mut lines = vec![
            format!("server_name: {}", quote(&self.server_name)),
            "host: \"127.0.0.1\"".to_owned(),
            format!("port: {}", ports.client),
        ];
        if let Some(port) = ports.monitoring {
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
    fn the_ports_and_the_quoted_name_are_in_the_file() {
        let ports = Ports {
            client: 4001,
            monitoring: Some(4002),
        };
        let text = config().render(ports, Path::new("/s"));
        assert!(text.contains("port: 4001\n"), "{text}");
        assert!(text.contains("http: \"127.0.0.1:4002\"\n"), "{text}");
        assert!(text.contains(r#"server_name: "a \"b\"""#), "{text}");
    }
}
