//! The module as an image: pushed to a real registry, pulled back by another tool, read as Istio reads it, and run in
//! real Envoy.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::serve::Kit;
use crate::tools::{Running, docker_answers, output, say_skipped, script};

/// A registry on the loopback whose images are gone with it.
struct Registry {
    address: String,
    _running: Running,
    folder: TempDir,
}

/// An image as skopeo brought it back: each part in a file of its own.
struct Pulled {
    folder: PathBuf,
    manifest: Value,
    digest: String,
}

fn skopeo() -> Command {
    let mut command = Command::new("timeout");
    command.arg("60").arg(script("get/debian", &["skopeo"]));
    command
}

impl Registry {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yml");
        let storage = folder.path().join("storage");
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n",
            storage.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut serve = Command::new(script("get/debian", &["docker-registry"]));
        let running = Running::start("registry", folder.path(), serve.arg("serve").arg(&config));
        let rest = running.says("listening on ");
        let address = rest.split('"').next().unwrap().to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{rest}");
        Self { address, _running: running, folder }
    }

    fn name(&self, tag: &str) -> String {
        format!("{}/traffic-split:{tag}", self.address)
    }

    fn pull(&self, tag: &str) -> Pulled {
        let folder = self.folder.path().join(tag);
        let image = format!("docker://{}", self.name(tag));
        let copy = ["--insecure-policy", "copy", "--src-tls-verify=false", "--quiet", &image];
        output(skopeo().args(copy).arg(format!("dir:{}", folder.display())));
        let inspect = ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &image];
        let digest = output(skopeo().args(inspect));
        let manifest = folder.join("manifest.json");
        // Under this digest an image is pinned.
        assert_eq!(digest, format!("sha256:{}", sha256(&manifest)));
        let manifest = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
        Pulled { folder, manifest, digest }
    }
}

fn sha256(file: &Path) -> String {
    let printed = output(Command::new("sha256sum").arg(file));
    printed.split_whitespace().next().unwrap().to_owned()
}

impl Pulled {
    /// The file of a part that the manifest names, which is what its digest says.
    fn part(&self, descriptor: &Value) -> PathBuf {
        let digest = descriptor["digest"].as_str().unwrap();
        let file = self.folder.join(digest.strip_prefix("sha256:").unwrap());
        assert_eq!(format!("sha256:{}", sha256(&file)), digest);
        file
    }

    /// The module, by the way that Istio's agent takes to it: of an image, not of an index of some, the last layer, whose
    /// type has to be that of the manifest's format, and in it the first file of this name. Here it is the only layer
    /// with the only file.
    fn module(&self) -> PathBuf {
        let layer_type = match self.manifest["mediaType"].as_str() {
            Some("application/vnd.docker.distribution.manifest.v2+json") => {
                "application/vnd.docker.image.rootfs.diff.tar.gzip"
            }
            Some("application/vnd.oci.image.manifest.v1+json") => {
                "application/vnd.oci.image.layer.v1.tar+gzip"
            }
            other => panic!("not an image but {other:?}: {}", self.manifest),
        };
        let layers = self.manifest["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 1, "{layers:?}");
        assert_eq!(layers[0]["mediaType"], layer_type);
        let layer = self.part(&layers[0]);
        let names = output(Command::new("tar").arg("-tzf").arg(&layer));
        assert_eq!(names, "plugin.wasm");
        let folder = self.folder.join("unpacked");
        std::fs::create_dir(&folder).unwrap();
        output(Command::new("tar").arg("-xzf").arg(&layer).arg("-C").arg(&folder));
        folder.join("plugin.wasm")
    }

    /// The configuration says which files the layers are before they are packed.
    fn check_configuration(&self) {
        let text = std::fs::read(self.part(&self.manifest["config"])).unwrap();
        let config: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!((&config["os"], &config["rootfs"]["type"]), (&"linux".into(), &"layers".into()));
        let unpacked = self.folder.join("layer.tar");
        let layer = std::fs::File::open(self.part(&self.manifest["layers"][0])).unwrap();
        let tar = std::fs::File::create(&unpacked).unwrap();
        assert!(
            Command::new("gzip").arg("-dc").stdin(layer).stdout(tar).status().unwrap().success()
        );
        let ids = [Value::from(format!("sha256:{}", sha256(&unpacked)))];
        assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap(), &ids);
    }
}

/// Byte for byte what was built, and at work in Envoy.
fn check_module(module: &Path) {
    let bytes = std::fs::read(module).unwrap();
    assert!(bytes.starts_with(b"\0asm"));
    assert!(bytes == harness::module::bytes(), "another module came back");
    let kit = Kit::of_module(module);
    let rendered = std::fs::read_to_string(kit.folder.path().join("ecds/filter.json")).unwrap();
    assert!(rendered.contains(module.to_str().unwrap()), "{rendered}");
    let canaries = kit.canaries(200);
    assert!((1..=25).contains(&canaries), "{canaries} of 200 at 5 %");
}

/// Writes the image without Docker; its digest.
fn layout(folder: &Path) -> String {
    script("module-image", &["--layout", folder.to_str().unwrap()])
}

#[test]
fn the_image_made_without_docker_comes_back_from_a_registry_and_runs() {
    let registry = Registry::start();
    let folder = registry.folder.path().join("layout");
    let digest = layout(&folder);
    let (source, target) =
        (format!("oci:{}", folder.display()), format!("docker://{}", registry.name("layout-1")));
    let copy = ["--insecure-policy", "copy", "--dest-tls-verify=false", &source, &target];
    output(skopeo().args(copy));
    let pulled = registry.pull("layout-1");
    // Known before the push, and so it can be pinned in the same commit.
    assert_eq!(pulled.digest, digest);
    pulled.check_configuration();
    check_module(&pulled.module());
}

#[test]
fn the_image_made_without_docker_is_the_same_for_the_same_module() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    let module = folder.path().join("module.wasm");
    let digest = |layout: &Path| {
        let arguments = ["--layout", layout.to_str().unwrap()];
        let mut command = Command::new(harness::root().join("scripts/module-image"));
        output(command.args(arguments).env("TRAFFIC_SPLIT_WASM", &module))
    };
    std::fs::write(&module, harness::module::bytes()).unwrap();
    let first = digest(&one);
    // Another time, other rights: the same bytes.
    output(Command::new("touch").args(["-d", "2001-02-03"]).arg(&module));
    output(Command::new("chmod").arg("600").arg(&module));
    assert_eq!(digest(&other), first);
    output(Command::new("diff").arg("-r").arg(&one).arg(&other));

    // Another module has another digest, and what is there is not overwritten.
    std::fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
    let mut again = Command::new(harness::root().join("scripts/module-image"));
    again.arg("--layout").arg(&one).env("TRAFFIC_SPLIT_WASM", &module);
    assert!(!again.output().unwrap().status.success());
    std::fs::remove_dir_all(&one).unwrap();
    assert_ne!(digest(&one), first);
}

/// An image of Docker's that is gone when this is dropped.
struct Image(String);

impl Drop for Image {
    fn drop(&mut self) {
        let _gone = Command::new("docker").args(["image", "rm", "--force", &self.0]).output();
    }
}

#[test]
fn the_image_made_with_docker_comes_back_from_a_registry_and_runs() {
    if let Err(why) = docker_answers() {
        say_skipped("the module's image is not built and pushed by Docker", &why);
        return;
    }
    let registry = Registry::start();
    let image = Image(registry.name("docker-1"));
    assert_eq!(script("module-image", &[&image.0]), image.0);
    let pushed = output(Command::new("timeout").args(["60", "docker", "push", &image.0]));
    let pulled = registry.pull("docker-1");
    assert!(pushed.contains(&format!("digest: {}", pulled.digest)), "{pushed}");
    pulled.check_configuration();
    check_module(&pulled.module());
}
