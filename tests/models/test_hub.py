"""Weights of hubs: who is asked for them, when, and what is said where nobody answers."""

import hashlib
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import timm
import torch
from safetensors.torch import save_file
from torchvision.models import get_model

from wsss.errors import WsssError
from wsss.models import TimmBackbone
from wsss.models.hub import timm_network
from wsss.models.hub_files import AddressFile
from wsss.models.pretrained import pretrained_classifier

TINY = "test_resnet"  # timm's, for tests
REPOSITORY = "timm/test_resnet.r160_in1k"
COMMIT = "0123456789abcdef" * 2 + "01234567"
SHUFFLENET = "shufflenetv2_x0.5-f707e7126e.pth"


def save(state, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)


@pytest.fixture
def cached(tmp_path):
    """Let a state be in the cache of the Hugging Face Hub, as a download leaves it."""

    def cache(state, name):
        folder = tmp_path / "hub" / f"models--{REPOSITORY.replace('/', '--')}"
        save(state, folder / "blobs" / f"digest{name[name.index('.') :]}")
        snapshot = folder / "snapshots" / COMMIT
        snapshot.mkdir(parents=True)
        (snapshot / name).symlink_to(f"../../blobs/digest{name[name.index('.') :]}")
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text(COMMIT)

    return cache


@pytest.fixture(params=["unreachable", "switched off"])
def no_network(request, offline, monkeypatch):
    if request.param == "switched off":
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return offline


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_what_is_in_the_cache_is_taken_and_nobody_asked(no_network, cached, name):
    state = timm.create_model(TINY).state_dict()
    cached(state, name)
    own = TimmBackbone(TINY, "hub").network.state_dict()
    assert own
    assert all(torch.equal(own[key], state[key]) for key in own)
    whole = pretrained_classifier(f"timm:{TINY}", "hub").state_dict()
    assert len(whole) >= len(state)
    assert not no_network


def test_torchvisions_cache(no_network, tmp_path):
    network = get_model("shufflenet_v2_x0_5").eval()
    save(network.state_dict(), tmp_path / "torch" / "hub" / "checkpoints" / SHUFFLENET)
    model = pretrained_classifier("torchvision:shufflenet_v2_x0_5", "hub")
    images = torch.rand(1, 3, 64, 64)
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.inference_mode():
        torch.testing.assert_close(model(images), network((images - mean) / std))
    assert not no_network


FILES = {
    f"timm:{TINY}": (
        f"`model.safetensors` of {REPOSITORY} in", "hub/models--timm--test_resnet.r160_in1k",
        f"`hf download {REPOSITORY} model.safetensors`", "huggingface.co",
    ),
    "torchvision:shufflenet_v2_x0_5": (
        f"`{SHUFFLENET}` of https://download.pytorch.org/models/{SHUFFLENET} in",
        "torch/hub/checkpoints", "copy it there", "download.pytorch.org",
    ),
    "timm:gcvit_xxtiny": (
        "`gcvit_xxtiny_224_nvidia-d1d86009.pth` of https://github.com/", "torch/hub/checkpoints",
        "copy it there", "github.com",
    ),
}  # fmt: skip


@pytest.mark.parametrize("model", FILES)
def test_what_is_missing_is_named_at_once(no_network, tmp_path, model):
    file, folder, remedy, host = FILES[model]
    no_network.clear()
    start = time.monotonic()
    with pytest.raises(WsssError) as refusal:
        pretrained_classifier(model, "hub")
    assert time.monotonic() - start < 5
    (problem,) = refusal.value.problems
    assert problem.expected.startswith(file)
    assert problem.expected.endswith(str(tmp_path / folder))
    assert remedy in problem.remedy
    assert "name a .safetensors or .pth file instead of `hub`" in problem.remedy
    if "HF_HUB_OFFLINE" in problem.came:
        assert not no_network
    else:
        assert f"asking {host} failed" in problem.came
        assert "Name or service not known" in problem.came
        assert set(no_network) == {host}
        assert len(no_network) <= 2  # huggingface_hub has a question of its own.


def test_a_network_that_swallows_questions_is_not_waited_for(offline, monkeypatch):
    monkeypatch.setattr("wsss.models.hub_files.ANSWER_S", 0.2)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: time.sleep(5))
    start = time.monotonic()
    with pytest.raises(WsssError, match=r"TimeoutError: no answer in 0 s"):
        timm_network(TINY)
    assert time.monotonic() - start < 3


class Hub(BaseHTTPRequestHandler):
    """A hub with a single file."""

    def __init__(self, asked, path, content, *connection):
        self.asked, self.file, self.content = asked, path, content
        super().__init__(*connection)

    def do_HEAD(self):
        self.asked.append((self.command, self.path))
        here = self.path == self.file
        self.send_response(200 if here else 404)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(self.content) if here else 0))
        if here:
            self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(self.content)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(offline, monkeypatch):
    """Start a hub with a file on this machine; the questions that it is asked."""
    servers = []

    def start(path, content):
        asked = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, asked, path, content))
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        return address, asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_hub_that_answers_is_asked_once(hub, offline, tmp_path, name):
    state = timm.create_model(TINY).state_dict()
    save(state, tmp_path / name)
    _, asked = hub(f"/{REPOSITORY}/resolve/main/{name}", (tmp_path / name).read_bytes())
    for _ in range(2):
        found = timm_network(TINY).state_dict()
        assert all(torch.equal(found[key], state[key]) for key in state)
        questions = list(asked)
        assert [command for command, _ in questions].count("GET") == 1
        asked[:] = questions
    assert asked == questions
    assert not offline


def test_an_address_that_answers(hub):
    address, asked = hub("/weights.pth", b"weights")
    file = AddressFile(f"{address}/weights.pth")
    assert file.cached() is None
    file.fetch()
    assert asked == [("GET", "/weights.pth")]
    with pytest.raises(OSError, match="404"):
        AddressFile(f"{address}/others.pth").fetch()


def test_a_damaged_file_in_the_cache_is_named(offline, cached, tmp_path):
    cached({"other": torch.zeros(1)}, "model.safetensors")
    with pytest.raises(WsssError, match=rf"{COMMIT}/model\.safetensors cannot be read as weights"):
        timm_network(TINY)


@pytest.mark.parametrize("name", ["test_resnet.nobody_in1k", "resnet14t_nobody"])
def test_a_network_without_published_weights(offline, name):
    with pytest.raises(WsssError, match=f"timm has no weights of `{name}`"):
        timm_network(name)
    assert not offline
