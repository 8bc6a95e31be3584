//! A shared cache in front of Envoy: nginx, which keeps pages by what `vary` names, and by nothing else.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use harness::wait_for;
use lab::{Lab, Options};
use serde_json::json;
use tempfile::TempDir;

use crate::tools::{Answer, Running, SOON, free_port, get, script};

/// Every page may be kept for a minute, unless its headers say otherwise.
const CONFIG: &str = "
daemon off; master_process off; pid FOLDER/pid; error_log stderr warn;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi; uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
  proxy_cache_path FOLDER/cache keys_zone=pages:1m;
  server {
    listen LISTEN;
    location / {
      proxy_pass http://ENVOY; proxy_http_version 1.1; proxy_set_header connection \"\";
      proxy_cache pages; proxy_cache_valid 200 1m; add_header x-cache $upstream_cache_status;
    }
  }
}";

struct Cached {
    lab: Lab,
    cache: SocketAddr,
    _nginx: Running,
    _folder: TempDir,
}

impl Cached {
    fn start() -> Self {
        let split = |name: &str, key| {
            json!({"name": name, "match": [{"path": {"prefix": format!("/{name}")}}], "key": key, "baseline": "stable",
                "variants": [{"name": "stable", "cluster": "v1", "weight": 50}, {"name": "canary", "cluster": "v2", "weight": 50}]})
        };
        let policy = json!({"version": 1, "vary": true, "splits": [
            split("known", json!([{"cookie": "visitor"}])),
            split("new", json!([{"cookie": "visitor"}, {"generate": {"cookie": "visitor"}}])),
        ]});
        let module = Some(lab::find_module().unwrap());
        let options = Options { module, ..Options::default() };
        let lab = Lab::start(&policy.to_string(), options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cache = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let config = CONFIG
            .replace("FOLDER", folder.path().to_str().unwrap())
            .replace("LISTEN", &cache.to_string())
            .replace("ENVOY", &lab.listener().to_string());
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(script("get/debian", &["nginx"]));
        command.arg("-c").arg(file);
        let nginx = Running::start("nginx", folder.path(), &command);
        wait_for("nginx answers", SOON, || get(cache, "/elsewhere", &[]).ok());
        Self { lab, cache, _nginx: nginx, _folder: folder }
    }

    /// What a visitor gets through the cache.
    fn page(&self, path: &str, cookie: Option<&str>) -> Answer {
        let headers: Vec<_> = cookie.map(|cookie| ("cookie", cookie)).into_iter().collect();
        let page = get(self.cache, path, &headers).unwrap();
        assert_eq!(page.status, 200, "{}", page.body);
        page
    }
}

#[test]
fn a_shared_cache_gives_nobody_the_variant_or_the_cookie_of_another() {
    let cached = Cached::start();
    let mut variants = BTreeSet::new();
    for visitor in 0..12 {
        let cookie = format!("visitor=u{visitor}");
        let direct = get(cached.lab.listener(), "/known", &[("cookie", &cookie)]).unwrap();
        for from in ["MISS", "HIT"] {
            let page = cached.page("/known", Some(&cookie));
            assert_eq!(
                page.headers["x-cache"], from,
                "a page that depends on a cookie can be kept"
            );
            assert_eq!(page.headers["x-lab-cluster"], direct.headers["x-lab-cluster"], "{cookie}");
        }
        variants.insert(direct.headers["x-lab-cluster"].clone());
    }
    assert_eq!(variants.len(), 2, "the visitors are of both variants");

    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        let page = cached.page("/new", None);
        assert_eq!(page.headers["x-cache"], "MISS", "whose page sets a cookie has it alone");
        ids.insert(page.headers["set-cookie"].clone());
        let cookie = page.headers["set-cookie"].split(';').next().unwrap();
        assert_eq!(cached.page("/new", Some(cookie)).headers.get("set-cookie"), None);
    }
    assert_eq!(ids.len(), 3);

    for from in ["MISS", "HIT"] {
        assert_eq!(
            cached.page("/other", None).headers["x-cache"],
            from,
            "no split is on this path"
        );
    }
}
