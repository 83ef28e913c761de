#!/usr/bin/python3
"""The Helm chart, by the real Helm without a cluster: lint, what it renders, and the plain manifests made from it."""

import json
import os
import re
import subprocess

import yaml
from harness import ROOT, main, run_binary, temporary_folder, test

DEPLOY = os.path.join(ROOT, "scripts/deploy")
CHART = os.path.join(DEPLOY, "chart")
NAME = "kube-scheduler-jobs"


def helm(*arguments, code=0):
    binary = subprocess.run([os.path.join(ROOT, "vendor/helm")], capture_output=True, text=True, timeout=200)
    assert binary.returncode == 0, f"vendor/helm: {binary.stderr}"
    done = subprocess.run([binary.stdout.strip(), *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def with_values(values):
    path = os.path.join(temporary_folder(), "values.json")
    with open(path, "w") as file:
        json.dump(values or {}, file)
    return ["--values", path]


def template(values=None, *arguments, release=NAME):
    text = helm("template", release, CHART, "--namespace", "own", *with_values(values), *arguments).stdout
    return [document for document in yaml.safe_load_all(text) if document]


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def only(documents, kind):
    found = of_kind(documents, kind)
    assert len(found) == 1, (kind, documents)
    return found[0]


def pod_of(documents):
    return only(documents, "Deployment")["spec"]["template"]["spec"]


def grants(role):
    return {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


# everything on at once; 1.20 has no policy/v1
EVERYTHING = {
    "replicaCount": 2, "image": {"repository": "registry.example/it", "tag": "7"}, "imagePullSecrets": [{"name": "pull"}],
    "schedule": {"nightly": {"cron": "0 3 * * *", "template": "pod.yml"}},
    "templates": {"pod.yml": {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "main", "image": "i"}]}}},
    "hooks": {"freeze.lua": "function before_run(event) return true end\n"}, "watchNamespaces": ["own", "other"],
    "extraArgs": ["--strict"], "extraEnv": [{"name": "A", "value": "b"}], "extraEnvFrom": [{"secretRef": {"name": "s"}}],
    "auth": "kubernetes", "tokenSecret": "mine", "podLabels": {"team": "x"}, "podAnnotations": {"y": "z"}, "priorityClassName": "high",
    "nodeSelector": {"a": "b"}, "tolerations": [{"key": "k"}], "affinity": {"nodeAffinity": {}}, "hostNetwork": True,
    "topologySpreadConstraints": [{"maxSkew": 1}], "extraVolumes": [{"name": "v", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}], "service": {"port": 9090, "annotations": {"q": "r"}},
    "serviceAccount": {"name": "account", "annotations": {"c": "d"}},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}, "runbookUrl": "https://wiki.example/it"},
    "dashboard": {"enabled": True},
    "networkPolicy": {"enabled": True, "from": [{"podSelector": {}}], "egress": [{"ports": [{"port": 443}]}]},
}


@test("helm lint --strict has nothing to say, with all values on too", seconds=240)
def _():
    for values in None, EVERYTHING:
        done = helm("lint", "--strict", CHART, *with_values(values))
        assert "0 chart(s) failed" in done.stdout and "warning" not in done.stderr, done


@test("kubernetes.yml is what the chart makes of sample.yml", seconds=60)
def _():
    made = subprocess.run([os.path.join(DEPLOY, "manifests")], capture_output=True, text=True, timeout=60)
    with open(os.path.join(DEPLOY, "kubernetes.yml")) as file:
        assert made.stdout == file.read(), "make manifests writes it anew: " + made.stderr
    assert "Helm" not in made.stdout and "helm" not in made.stdout


@test("the chart has the version of the binary", seconds=60)
def _():
    with open(os.path.join(CHART, "Chart.yaml")) as file:
        chart = yaml.safe_load(file)
    version, = re.findall(r"\d+\.\d+\.\d+", run_binary(["version"]).stdout.splitlines()[0])
    assert chart["version"] == chart["appVersion"] == version, (chart, version)


@test("by default it fits the restricted Pod Security Standard, and its probes and options are there", seconds=60)
def _():
    documents = template()
    pod = pod_of(documents)
    container, = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert all(set(volume) & {"configMap", "secret", "emptyDir"} for volume in pod["volumes"])
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert "--listen=0.0.0.0:8080" in container["args"] and "--token-file=/token/token" in container["args"]
    assert {document["kind"] for document in documents} == {
        "ServiceAccount", "ConfigMap", "Role", "RoleBinding", "Service", "Deployment", "Pod"}
    help_text = run_binary(["run", "--help"]).stdout
    for argument in container["args"][1:]:
        assert argument.split("=")[0] + " " in help_text, argument


@test("nothing is called as the control plane's scheduler is", seconds=60)
def _():
    for release in "kube-scheduler", "nightly", NAME, "my-" + NAME:
        documents = template(release=release)
        for document in documents:
            assert document["metadata"]["name"] != "kube-scheduler", document
        labels = only(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]
        assert "component" not in labels and "kube-scheduler" not in labels["app.kubernetes.io/name"].split(), labels
        lease = next(rule for rule in only(documents, "Role")["rules"] if "resourceNames" in rule)["resourceNames"]
        instance, = [word.split("=")[1] for word in pod_of(documents)["containers"][0]["args"] if "--instance" in word]
        assert lease == [instance + "-jobs"] == [only(documents, "Deployment")["metadata"]["name"]], (lease, instance)
    for values in {"fullnameOverride": "kube-scheduler"}, {"nameOverride": "kube-scheduler"}:
        done = helm("template", "kube-scheduler", CHART, *with_values(values), code=1)
        assert "control plane" in done.stderr, done.stderr


RUN = {(resource, verb) for resource in ("pods", "jobs")
       for verb in ("create", "get", "list", "watch", "patch", "delete")} | {("pods/log", "get")}
EVENTS = {("events", "create"), ("events", "patch")}


@test("a Role in each watched namespace, a ClusterRole only for all of them, and never Secrets", seconds=60)
def _():
    def roles(watched):
        documents = template({"watchNamespaces": watched})
        for binding in of_kind(documents, "RoleBinding") + of_kind(documents, "ClusterRoleBinding"):
            assert binding["subjects"] == [{"kind": "ServiceAccount", "name": NAME, "namespace": "own"}]
        found = {role["metadata"].get("namespace", "*"): grants(role)
                 for role in of_kind(documents, "Role") + of_kind(documents, "ClusterRole")}
        assert len(found) == sum(len(of_kind(documents, kind)) for kind in ("RoleBinding", "ClusterRoleBinding"))
        assert "secrets" not in {resource for granted in found.values() for resource, _ in granted}
        return found, pod_of(documents)["containers"][0]["args"]

    state = {("leases", verb) for verb in ("get", "update", "create", "list", "watch")} | {
        ("configmaps", verb) for verb in ("create", "get", "list", "watch", "update", "delete")} | EVENTS
    found, arguments = roles([])
    assert found == {"own": RUN | state} and not any("--watch" in word for word in arguments)
    found, arguments = roles(["own", "other"])
    assert found == {"own": RUN | state, "other": RUN | EVENTS} and "--watch-namespaces=own,other" in arguments
    assert roles(["other"])[0] == {"own": state, "other": RUN | EVENTS}
    found, arguments = roles("all")
    assert found == {"own": state, "*": RUN | EVENTS} and "--watch-namespaces=all" in arguments


@test("with auth: kubernetes the daemon may ask who may what, and the cluster's roles get their rights", seconds=60)
def _():
    documents = template({"auth": "kubernetes", "authAudience": "ours"})
    container, = pod_of(documents)["containers"]
    assert "--auth=kubernetes" in container["args"] and "--auth-audience=ours" in container["args"]
    assert not any("token" in word for word in [*container["args"], *map(str, pod_of(documents)["volumes"])])
    for option in "--auth", "--auth-audience":
        assert option + " " in run_binary(["run", "--help"]).stdout, option
    roles = {role["metadata"]["name"]: role for role in of_kind(documents, "ClusterRole")}
    assert set(roles) == {f"own-{NAME}-{suffix}" for suffix in ("auth", "view", "edit", "metrics")}
    assert grants(roles[f"own-{NAME}-auth"]) == {("tokenreviews", "create"), ("subjectaccessreviews", "create")}
    binding = only(documents, "ClusterRoleBinding")
    assert binding["roleRef"]["name"] == f"own-{NAME}-auth" and binding["subjects"][0]["name"] == NAME
    for kind in "view", "edit":
        role = roles[f"own-{NAME}-{kind}"]
        assert role["metadata"]["labels"][f"rbac.authorization.k8s.io/aggregate-to-{kind}"] == "true"
        assert all(rule["apiGroups"] == ["kube-scheduler.io"] for rule in role["rules"])
    assert not of_kind(template(), "ClusterRole")


@test("an edit of the schedule or a hook changes nothing of the Pods", seconds=60)
def _():
    def deployment(cron, hook):
        return only(template({"schedule": {"a": {"cron": cron, "template": "pod.yml"}}, "hooks": {"a.lua": hook}}), "Deployment")
    assert deployment("0 1 * * *", "one") == deployment("0 2 * * *", "two")


@test("schedule, templates and hooks arrive as they were written, as text or as maps", seconds=60)
def _():
    text = "# kept\na: {cron: '0 3 * * *', template: pod.yml}\n"
    data = only(template({"schedule": text, "templates": {"pod.yml": "kind: Pod\n"}}), "ConfigMap")["data"]
    assert data == {"schedule.yml": text, "pod.yml": "kind: Pod\n"}, data
    schedule, hooks, _ = of_kind(template(EVERYTHING), "ConfigMap")
    assert hooks["data"] == EVERYTHING["hooks"]
    folder = temporary_folder()
    for name, content in schedule["data"].items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(content)
    done = run_binary(["check", "--dir", folder])
    assert done.returncode == 0 and "1 good job, 0 mistakes" in done.stderr, done
    pod = pod_of(template({"existingConfigMap": "mine", "existingHooksConfigMap": "ours"}))
    assert [volume.get("configMap", {}).get("name") for volume in pod["volumes"]] == ["mine", None, "ours"]
    assert not of_kind(template({"existingConfigMap": "mine"}), "ConfigMap")


@test("a PodDisruptionBudget for two Pods, of the version that the cluster has", seconds=60)
def _():
    assert not of_kind(template(), "PodDisruptionBudget")
    for version, api in ("1.20.2", "policy/v1beta1"), ("1.21.0", "policy/v1"), ("1.35.2-gke.1", "policy/v1"):
        budget = only(template({"replicaCount": 2}, "--kube-version", version), "PodDisruptionBudget")
        assert budget["apiVersion"] == api and budget["spec"]["maxUnavailable"] == 1, (version, budget)
    done = helm("template", "x", CHART, "--kube-version", "1.19.0", code=1)
    assert "1.20" in done.stderr, done.stderr


@test("Prometheus is told how to scrape, and of the tree's own rules", seconds=60)
def _():
    documents = template(EVERYTHING)
    monitor, service = only(documents, "ServiceMonitor"), only(documents, "Service")
    endpoint, = monitor["spec"]["endpoints"]
    assert endpoint["honorLabels"] and endpoint["authorization"]["credentials"] == {"name": "mine", "key": "token"}
    assert endpoint["port"] == service["spec"]["ports"][0]["name"] and monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    with open(os.path.join(CHART, "files/alerts.yml")) as file:
        rules = yaml.safe_load(file.read().replace("scripts/OPERATIONS.md", "https://wiki.example/it"))
    assert only(documents, "PrometheusRule")["spec"] == rules
    board = [each for each in of_kind(documents, "ConfigMap") if each["metadata"]["labels"].get("grafana_dashboard") == "1"]
    assert json.loads(board[0]["data"]["kube-scheduler-jobs.json"])["title"] == "Kube Scheduler"


@test("a NetworkPolicy limits who comes in, and only what is asked for of the rest", seconds=60)
def _():
    policy = only(template(EVERYTHING), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"] and policy["egress"] == [{"ports": [{"port": 443}]}]
    policy = only(template({"networkPolicy": {"enabled": True}}), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress"] and policy["ingress"] == [{"ports": [{"port": "http"}]}]


@test("a wrong value is refused with its name", seconds=60)
def _():
    for values, said in (({"replicaCount": "two"}, "at '/replicaCount': got string, want integer"),
                         ({"replicas": 2}, "additional properties 'replicas' not allowed"),
                         ({"watchNamespaces": "every"}, "/watchNamespaces"), ({"hooks": {"a.txt": ""}}, "a.txt"),
                         ({"service": {"port": 80}}, "/service/port"), ({"metricsJobs": "all"}, "/metricsJobs"),
                         ({"templates": {"a/b.yml": ""}}, "a/b.yml"), ({"image": {"repository": ""}}, "/image/repository")):
        done = helm("template", "x", CHART, *with_values(values), code=1)
        assert said in done.stderr, (values, done.stderr)


@test("each value is explained, known to the schema and used", seconds=60)
def _():
    with open(os.path.join(CHART, "values.yaml")) as file:
        values = yaml.safe_load(file)
    with open(os.path.join(CHART, "values.schema.json")) as file:
        assert set(json.load(file)["properties"]) - {"global"} == set(values)
    used = set()
    for folder, _, names in os.walk(os.path.join(CHART, "templates")):
        for name in names:
            with open(os.path.join(folder, name)) as file:
                used |= set(re.findall(r"\.Values\.(\w+)", file.read()))
    assert used == set(values), used ^ set(values)


main()
