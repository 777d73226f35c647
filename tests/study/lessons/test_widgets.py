"""The clickable map: what its page holds, and that its masks are the ones of Eq. 4."""

import base64
import json
import re

import numpy as np
import pytest
import torch

from scnlib.propagation import shape_masks
from study.lessons.widgets import LEVELS, MAX_BYTES, clickable_map, draw_atlas, encode_rows


def correlation(cells: int, sharp: float = 3.0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    return (sharp * torch.randn(cells, cells, generator=draw)).softmax(dim=1)


def stored(page: str) -> dict:
    found = re.search(r"const data = (\{.*\});", page)
    assert found
    return json.loads(found.group(1))


def test_bytes_count_the_thresholds_that_are_passed():
    # Scaled: 0, 1/2, 1; of the thresholds 0, 1/250 ... 249/250, 1/2 passes 0 to 124.
    assert encode_rows(torch.tensor([[1.0, 2.0, 3.0]])).tolist() == [[0, 125, 250]]
    assert encode_rows(torch.full((1, 3), 0.25)).tolist() == [[0, 0, 0]]  # no shape in it


@pytest.mark.parametrize("sharp", [0.01, 1.0, 8.0])
def test_masks_are_those_of_equation_4_at_every_place_of_the_slider(sharp):
    C = correlation(16, sharp)
    q = encode_rows(C)
    for k in range(LEVELS):
        assert ((q > k) == shape_masks(C[None], k / LEVELS)[0].numpy()).all()


def test_values_decode_to_the_rows():
    C = correlation(64)
    data = stored(clickable_map(np.zeros((64, 64)), C, (8, 8), title="t").page)
    q = np.frombuffer(base64.b64decode(data["rows"]), np.uint8).reshape(64, 64)
    low, high = (np.array(data[name])[:, None] for name in ("low", "high"))
    error = np.abs(low + q / LEVELS * (high - low) - C.numpy())
    assert (error <= (high - low) / LEVELS * 1.01).all()
    assert data["threshold"] == LEVELS // 2


def test_the_image_and_labels_are_kept():
    image, labels = np.array([[0.0, 0.5], [1.0, 1.5]]), np.array([[0, 1], [2, 4]], np.uint8)
    page = clickable_map(image, correlation(4), (2, 2), title="t", truth=labels, scribble=labels)
    data = stored(page.page)
    assert list(base64.b64decode(data["image"])) == [0, 128, 255, 255]
    assert list(base64.b64decode(data["truth"])) == [0, 1, 2, 4]
    assert data["scribble"] == data["truth"]


def test_is_one_small_page_that_asks_for_nothing_outside():
    page = clickable_map(np.zeros((128, 128)), correlation(256), (16, 16), title="t")
    bundle = page._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert len(bundle["text/html"].encode()) < MAX_BYTES
    assert not re.search(r"https?:|src=|@import|fetch\(", page.page)
    assert 'title="t"' in bundle["text/html"] and 'sandbox="allow-scripts"' in bundle["text/html"]


def test_a_title_is_text_and_never_code():
    bad = '</script><b a="1">'
    page = clickable_map(np.zeros((4, 4)), correlation(4), (2, 2), title=bad)
    assert page.page.count("</script>") == 1 and stored(page.page)["title"] == bad
    assert '<b a="1">' not in page._repr_mimebundle_()["text/html"]


def test_refuses_what_does_not_fit():
    image = np.zeros((8, 8))
    with pytest.raises(ValueError, match="does not fit"):
        clickable_map(image, correlation(9), (2, 2), title="t")
    with pytest.raises(ValueError, match="does not fit"):
        clickable_map(image, correlation(9), (3, 3), title="t")
    with pytest.raises(ValueError, match="truth has shape"):
        clickable_map(image, correlation(4), (2, 2), title="t", truth=np.zeros((4, 4)))
    with pytest.raises(ValueError, match="coarser grid"):
        clickable_map(np.zeros((96, 96)), correlation(576), (24, 24), title="t")


def test_the_atlas_shows_every_row():
    C = correlation(4)
    figure = draw_atlas(np.zeros((4, 4)), C, (2, 2), np.eye(4, dtype=np.uint8))
    atlas = np.asarray(figure.axes[2].images[0].get_array(), float)
    assert atlas.shape == (6, 6)
    mask = shape_masks(C[None], 0.5)[0].numpy()
    assert (atlas[3:5, :2] == mask[2].reshape(2, 2)).all()  # the third row stands lower left
