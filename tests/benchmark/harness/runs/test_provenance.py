import subprocess

from impress_bench.benchmark.harness.runs.provenance import git_state, hardware


def git(folder, *arguments):
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def test_git_state_of_a_checkout(tmp_path):
    (tmp_path / "provenance.py").write_text("x = 1\n")
    git(tmp_path, "init")
    assert git_state(tmp_path) is None
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = git_state(tmp_path)
    assert len(clean["commit"]) == 40
    assert not clean["dirty"]
    (tmp_path / "provenance.py").write_text("x = 2\n")
    assert git_state(tmp_path) == {**clean, "dirty": True}


def test_installed_inside_a_foreign_checkout_is_no_checkout(tmp_path):
    """A virtual environment may lie in somebody's repository, whose commit says nothing of us."""
    (tmp_path / "theirs.py").write_text("")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "theirs")
    inside = tmp_path / "site-packages"
    inside.mkdir()
    (inside / "provenance.py").write_text("")
    assert git_state(inside) is None


def test_hardware_is_told(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda at: ("small", "large", "large")[at])
    assert hardware("cpu")["cores"] >= 1
    assert "gpu" not in hardware("cpu")
    assert hardware("cuda")["gpu"] == "1 x small, 2 x large"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "gpu" not in hardware("cuda"), "all results were stored elsewhere"
