"""The benchmarks' own parts: what is timed, and what their file says."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

import study.speed.__main__ as speed
from scnlib import correlation, losses, unet
from scnlib.kernels import ElementDropout
from study.speed import figure, limits, parts, steps

CPU = torch.device("cpu")


def test_the_plain_step_learns_from_its_labels_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = []
    cross_entropy = steps.F.cross_entropy

    def watched(logits: torch.Tensor, labels: torch.Tensor, **options: Any) -> torch.Tensor:
        assert logits.is_contiguous() and logits.dtype == torch.float32
        assert 0 < int((labels < 4).sum()) < labels.numel() / 100
        losses.append(cross_entropy(logits, labels, **options))
        return losses[-1]

    monkeypatch.setattr(steps.F, "cross_entropy", watched)
    step = steps.plain_step(32, 4, CPU)
    for _ in range(12):
        step()
    assert losses[-1].detach() < losses[0].detach()


@pytest.mark.parametrize("method", ["scn", "s2l"])
def test_a_methods_step_is_its_own(method: str) -> None:
    step = steps.method_step(method, 16, 4, CPU, "eager")
    assert step() == "eager"
    times = steps.timed(step, CPU, repeats=3, warm=0)
    assert 0 < times["least_ms"] <= times["median_ms"]
    found = steps.by_kernel(step, CPU, steps=1)
    assert found and all(a["ms"] >= b["ms"] for a, b in itertools.pairwise(found))


@pytest.mark.parametrize("part", parts.FAST_PARTS)
def test_a_part_that_is_left_out_alone_is_torchs_and_comes_back(part: str) -> None:
    def used() -> list[Any]:
        names = [steps.bf16_supported, ElementDropout.forward, correlation.attention]
        return [*names, losses.by_hand, unet.twice_as_large, torch.optim.Adam]

    before = used()
    with parts.left_out(part):
        changed = [one is not other for one, other in zip(used(), before, strict=True)]
        assert steps.method_step("scn", 16, 4, CPU, "eager")() == "eager"
    assert changed == [name == part for name in parts.FAST_PARTS]
    assert used() == before


def test_the_file_names_the_machine_and_each_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed.provenance, "hardware", lambda device: "AMD EPYC, AVX2, 2 threads")
    assert speed.machine(CPU) == "amd-epyc-avx2-2-threads"
    stats = {"min": 0.12345678, "median": 0.2, "rounds": 5, "mean": 1.0}
    one = {"name": "bench_step[scn-128]", "stats": stats, "extra_info": {"size": 128}}
    assert speed.rows({"benchmarks": [one]}) == [
        {"name": "step[scn-128]", "least_s": 0.1235, "median_s": 0.2, "rounds": 5, "size": 128}
    ]


def test_some_rows_do_not_replace_the_committed_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        speed.main(["--only", "plain"])
    assert ended.value.code == 2 and "give --out another folder" in capsys.readouterr().err


def test_a_benchmark_that_fails_leaves_the_file(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bench_plain.py").write_text("def bench_none():\n    assert False\n")
    monkeypatch.setattr(speed, "PLAIN_STEP", tmp_path / "bench_plain.py")
    monkeypatch.setattr(speed, "BENCHMARKS", tmp_path)
    kept = tmp_path / f"{speed.machine(torch.device('cpu'))}.json"
    kept.write_text("all rows")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert speed.main(["--out", str(tmp_path)]) != 0
    assert kept.read_text() == "all rows"


def step_row(method: str, size: int, seconds: float) -> dict[str, Any]:
    return {"name": f"step[{method}-{size}]", "method": method, "size": size, "least_s": seconds}


def test_the_picture_compares_each_step_with_pces() -> None:
    rows = [step_row(m, n, s * n) for n in (128, 256) for m, s in (("scn", 3), ("pce", 2))]
    rows += [step_row(steps.PLAIN, n, n) for n in (128, 256)]
    rows.append({"name": "import[scnlib]", "least_s": 0.5})
    content = {"machine": "a processor", "bf16": False, "benchmarks": rows}
    table = figure.step_costs(content)
    assert list(table.index) == [steps.PLAIN, "pce", "scn"] and list(table.columns) == [128, 256]
    small, large = figure.draw_steps(content).axes
    assert [text.get_text() for text in small.texts] == [
        " 128.00 s (0.50)",
        " 256.00 s (1.00)",
        " 384.00 s (1.50)",
    ]
    assert large.get_title() == "256 x 256"


def test_without_pce_the_picture_has_seconds_alone() -> None:
    content = {"machine": "a", "bf16": True, "benchmarks": [step_row("scn", 128, 1.5)]}
    (axes,) = figure.draw_steps(content).axes
    assert [text.get_text() for text in axes.texts] == [" 1.50 s"]


def grown(side: int, stride: int) -> dict[str, Any]:
    row = {"name": f"growth[{side}-{stride}]", "size": side, "stride": stride}
    return row | {"step_s": float(side) ** stride, "peak_memory_mb": 100.0 * side**2}


def test_growth_has_a_line_a_stride_with_its_power_of_the_pixels() -> None:
    rows = [grown(side, stride) for side in (128, 64) for stride in (8, 4)]
    content = {"machine": "a", "bf16": True, "benchmarks": [*rows, step_row("scn", 128, 1.0)]}
    seconds, memory = figure.draw_growth(content).axes
    assert [line.get_label() for line in seconds.lines] == [
        "stride 4: (side²)^2.00",
        "stride 8: (side²)^4.00",
    ]
    assert all(str(line.get_label()).endswith("(side²)^1.00") for line in memory.lines)
    assert np.array_equal(seconds.lines[0].get_xdata(), [64, 128])


def test_convolutions_of_a_step_are_counted_and_timed() -> None:
    found = limits.convolutions(steps.method_step("pce", 32, 2, CPU, "eager"), CPU)
    assert 0 < found["share"] <= 1 and found["gflop"] > 0 and found["gflop_s"] > 0
    # Per pixel the network's arithmetic is the same: four times the pixels, four times as much.
    larger = limits.convolutions(steps.method_step("pce", 64, 2, CPU, "eager"), CPU)
    assert larger["gflop"] == pytest.approx(4 * found["gflop"], rel=0.1)


def test_a_product_of_matrices_has_a_rate() -> None:
    assert limits.matrix_rate(CPU, seconds=0.1) > 1


def test_growth_is_measured_at_the_stride_asked_for() -> None:
    found = limits.grown(32, 4, repeats=1)
    assert found["step_s"] > 0 and found["peak_memory_mb"] > 50


def test_the_plain_step_is_timed_before_any_other() -> None:
    names = [path.name for path in speed.benchmark_files()]
    assert names[0] == "bench_plain.py" and len(set(names)) == len(names) >= 4
