//! HCL2 templates, from a folder of files to images.

use crate::support::{Cloud, Kiln};
use crate::templates::login;

/// A template over several files, with its values in others.
fn folder(kiln: &Kiln) {
    kiln.file(
        "variables.pkr.hcl",
        "variable \"region\" {\n  type = string\n}\nvariable \"names\" {\n  type    = list(string)\n  default = [\"one\"]\n}\n\
         variable \"token\" {\n  default   = \"\"\n  sensitive = true\n}\n",
    );
    kiln.file(
        "sources.pkr.hcl",
        format!(
            "data \"amazon-ami\" \"base\" {{\n  filters     = {{ name = \"ubuntu/images/*ubuntu-xenial-16.04-amd64-server-*\" }}\n  owners      = [\"099720109477\"]\n  most_recent = true\n  \
             region      = var.region\n}}\nsource \"amazon-ebs\" \"web\" {{\n  region        = var.region\n  source_ami    = data.amazon-ami.base.id\n  \
             instance_type = \"t2.micro\"\n  ssh_username  = \"{}\"\n  ami_name      = \"image ${{join(\"-\", var.names)}}\"\n  \
             dynamic \"tag\" {{\n    for_each = var.names\n    content {{\n      key   = \"name-${{tag.key}}\"\n      value = tag.value\n    }}\n  }}\n}}\n",
            login()
        ),
    );
    kiln.file(
        "build.pkr.hcl",
        "build {\n  sources = [\"source.amazon-ebs.web\"]\n  provisioner \"shell\" {\n    environment_vars = [\"TOKEN=${var.token}\"]\n    \
         inline           = [\"echo source is ${source.name}\", \"echo length ${length(build.ID) > 2 ? \\\"long\\\" : \\\"short\\\"} end\", \
         \"echo machine ${build.ID}\", \"test -n $TOKEN\"]\n  }\n  provisioner \"shell\" {\n    continue_on_error = true\n    inline            = \
         [\"exit 3\"]\n  }\n  post-processor \"manifest\" {\n    output = \"m.json\"\n  }\n}\n"
            .replace("\\\"", "\""),
    );
    kiln.file("prod.pkrvars.hcl", "names = [\"a\", \"b\"]\nregion = \"us-east-1\"\n");
    kiln.file("more.auto.pkrvars.hcl", "region = \"eu-west-1\"\n");
}

#[test]
fn a_folder_is_built_with_the_values_of_its_files() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    folder(&kiln);
    kiln.run(["validate", "."]).expect(0);
    let ended = kiln.run(["build", "-var-file=prod.pkrvars.hcl", "-var", "token=very-secret-token", "."]).expect(0);
    assert!(ended.stdout.contains("amazon-ebs.web: source is web"), "{}", ended.stdout);
    assert!(ended.stdout.contains("length long end"), "{}", ended.stdout);
    assert!(ended.stdout.contains("machine i-"), "{}", ended.stdout);
    assert!(kiln.work().join("m.json").is_file());
    let state = cloud.state();
    let images = state["images"].to_string();
    assert!(images.contains("image a-b"), "{images}");
    assert!(images.contains("name-1"), "{images}");
    for (path, bytes) in kiln.written() {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains("very-secret-token"), "{}", path.display());
    }
}

#[test]
fn every_mistake_of_every_file_is_told() {
    let kiln = Kiln::new();
    kiln.file("a.pkr.hcl", "source \"null\" \"a\" {\n  communicator = \"none\n}\n\nlocals {\n  x = var.nothing\n}\n");
    kiln.file("b.pkr.hcl", "build {\n  sources = [\"source.null.b\"]\n}\n");
    let ended = kiln.run(["validate", "."]).expect(2);
    for part in ["K1202", "a.pkr.hcl:2", "K1302", "nothing", "K1405", "b.pkr.hcl:2", "did you mean `source.null.a`?"] {
        assert!(ended.stderr.contains(part), "{part}:\n{}", ended.stderr);
    }
}

#[test]
fn the_console_evaluates_with_the_names_of_a_template() {
    let kiln = Kiln::new();
    kiln.file("t.pkr.hcl", "variable \"n\" {\n  default = 2\n}\nlocals {\n  twice = var.n * 2\n}\n");
    let ended = kiln.run_with_input(["console", "t.pkr.hcl"], "var.n\nlocal.twice + 1\n").expect(0);
    assert_eq!(ended.stdout, "5\n");
    let ended = kiln.run_with_input(["console", "-config-type=hcl2"], "upper(\"a\")\n").expect(0);
    assert_eq!(ended.stdout, "A\n");
    let ended = kiln.run_with_input(["console", "t.pkr.hcl"], "var.m\n").expect(1);
    assert!(ended.stderr.contains("there is no variable `m`"), "{}", ended.stderr);
}

#[test]
fn a_template_of_hcl2_in_json_is_known_by_its_name() {
    let kiln = Kiln::new();
    kiln.file(
        "t.pkr.json",
        r#"{"source": {"null": {"a": {"communicator": "none"}}}, "build": {"sources": ["source.null.a"]}}"#,
    );
    kiln.run(["validate", "t.pkr.json"]).expect(0);
    assert!(kiln.run(["inspect", "t.pkr.json"]).expect(0).stdout.contains("null.a"));
}
