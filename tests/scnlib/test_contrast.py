"""The class-aware contrastive loss and its parts: values worked out by hand."""

import math
from typing import Any

import pytest
import torch

from scnlib.config import SCNOptions
from scnlib.losses import (
    class_means,
    class_similarity,
    contrastive_loss,
    pseudo_label_contrast,
    scribble_contrast,
)
from tests.drawn import FEATURES, LOGITS, check, pixels, row

K = 4
ln = math.log


# Equations 13 to 17

SCRIBBLE = row(0, 0, 1, K)


def test_class_means_by_hand() -> None:
    means, present = class_means(FEATURES, SCRIBBLE, K, normalise=False)
    # ((3, 4) + (0, 2)) / 2 and (1, 0); the pixel that nobody scribbled is in none.
    torch.testing.assert_close(means[:2].float(), torch.tensor([[1.5, 3.0], [1.0, 0.0]]))
    assert float(means[0, 0]) == pytest.approx(3 / (2 + 1e-6), rel=2e-7)  # with the epsilon
    assert present.tolist() == [True, True, False, False]
    assert torch.equal(means[2:], torch.zeros_like(means[2:]))


def test_class_means_of_unit_features_are_unit_vectors() -> None:
    means, _ = class_means(FEATURES, SCRIBBLE, K)
    # ((3, 4)/5 + (0, 2)/2) / 2 = (.3, .9), of length sqrt(.09 + .81)
    expected = torch.tensor([[0.3 / math.sqrt(0.9), 0.9 / math.sqrt(0.9)], [1.0, 0.0]])
    torch.testing.assert_close(means[:2].float(), expected)


def test_class_similarity_by_hand() -> None:
    means = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64)
    first = FEATURES[..., :1]
    S = class_similarity(first, means, temperature=0.5)
    # (3, 4)/5 . (1, 0) / .5 = 1.2 and (.6 * .6 + .8 * .8) / .5 = 2
    assert S.flatten().tolist() == pytest.approx([0.6 / 0.5, 1 / 0.5])
    torch.testing.assert_close(class_similarity(first, means) * 0.1, S * 0.5)
    S = class_similarity(first, means, temperature=0.5, normalise=False)
    assert S.flatten().tolist() == pytest.approx([3 / 0.5, (3 * 0.6 + 4 * 0.8) / 0.5])


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_the_length_of_features_does_not_matter(scale: float) -> None:
    means, _ = class_means(FEATURES, SCRIBBLE, K)
    torch.testing.assert_close(class_means(scale * FEATURES, SCRIBBLE, K)[0], means)
    expected = class_similarity(FEATURES, means)
    torch.testing.assert_close(class_similarity(scale * FEATURES, means), expected)


@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-13, 1e-6])
def test_similarity_of_features_of_no_length_is_finite_and_its_gradient_too(length: float) -> None:
    features = torch.full((1, 2, 1, 1), length, requires_grad=True)
    S = class_similarity(features, torch.eye(2))
    S.square().sum().backward()
    assert features.grad is not None
    assert torch.isfinite(S).all() and torch.isfinite(features.grad).all()
    assert length or not S.any()


def test_similarity_to_an_images_own_means_is_that_to_shared_ones() -> None:
    features = torch.cat([FEATURES, FEATURES.flip(1)])
    means = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64)
    own = torch.stack([means, means.flip(1)])
    S = class_similarity(features, own)
    torch.testing.assert_close(S[:1], class_similarity(features[:1], means))
    torch.testing.assert_close(S[1:], class_similarity(features[1:], means.flip(1)))


def test_scribble_contrast_by_hand() -> None:
    target = row(0, 1, 1, K)
    nll = [-ln(0.7), -ln(0.5), -ln(0.25)]
    check(scribble_contrast(LOGITS, target), sum(nll) / 3)
    # Class 0 has one pixel and class 1 two; classes 2 and 3 do not count.
    expected = (nll[0] + (nll[1] + nll[2]) / 2) / 2
    check(scribble_contrast(LOGITS, target, mean="classes"), expected)


def test_pseudo_label_contrast_by_hand() -> None:
    # Pixel 0 is scribbled, pixel 1 is not trusted: .25 (class 1) and .4 (class 3) remain.
    confident, scribble = row(True, False, True, True), row(0, K, K, K)
    loss = pseudo_label_contrast(LOGITS, row(0, 1, 1, 3), confident, scribble)
    check(loss, -(ln(0.25) + ln(0.4)) / 2)
    labels = row(0, 1, 1, 1)  # classes 1 and 1 now: .25 and .2
    confident = row(True, True, True, True)
    loss = pseudo_label_contrast(LOGITS, labels, confident, scribble, mean="classes")
    check(loss, -(ln(0.5) + ln(0.25) + ln(0.2)) / 3)


CONTRAST = pixels([1, 0], [0, 1], [1, 0], [0, 1])


def test_log_probabilities_are_taken_as_they_are() -> None:
    values, labels, everywhere = -LOGITS, row(0, 1, 2, 3), row(True, True, True, True)
    picked = (ln(0.7) + ln(0.5) + ln(0.25) + ln(0.4)) / 4  # -values, which are no log P
    check(scribble_contrast(values, labels), picked)
    check(pseudo_label_contrast(values, labels, everywhere, row(K, K, K, K)), picked)


def test_contrast_by_hand_with_classes_that_nobody_scribbled() -> None:
    scribble, labels = row(0, 1, K, K), row(0, 1, 0, 3)
    everywhere = row(True, True, True, True)
    loss = contrastive_loss(
        CONTRAST, scribble, labels, everywhere, choices=SCNOptions(temperature=1.0)
    )
    # Means (1, 0) and (0, 1); every pixel has S = 1 for its own and 0 for the other class, and
    # classes 2 and 3 are out of the sum: -ln(e / (e + 1)). The scribble term has two such pixels,
    # the pseudo-label term one, as the last pixel's class 3 has no mean.
    each = -ln(math.e / (math.e + 1))
    check(loss, (each + each) / 2 + each / 1)
    sharp = contrastive_loss(
        CONTRAST, scribble, labels, everywhere, choices=SCNOptions(temperature=0.1)
    )
    check(sharp, 2 * -ln(math.exp(10) / (math.exp(10) + 1)))


def test_contrast_with_means_of_each_image_by_hand() -> None:
    # The second image has the features of the two classes the other way round.
    features = torch.cat([CONTRAST, CONTRAST.flip(3)])
    scribble, labels = row(0, 1, K, K).repeat(2, 1, 1), row(0, 1, 0, 1).repeat(2, 1, 1)
    everywhere = torch.ones(2, 1, 4, dtype=torch.bool)
    loss = contrastive_loss(
        features, scribble, labels, everywhere, choices=SCNOptions(temperature=1.0)
    )
    check(loss, 2 * ln(2))  # both means lie in between: nothing is told apart
    own = contrastive_loss(
        features,
        scribble,
        labels,
        everywhere,
        choices=SCNOptions(temperature=1.0, means_over="image"),
    )
    each = -ln(math.e / (math.e + 1))
    check(own, 2 * each)

    # Nobody scribbled class 1 in the second image: it is sure of class 0 there, and has no class 1.
    scribble, labels = scribble.clone(), labels.clone()
    scribble[1], labels[1] = row(0, K, K, K)[0], row(0, 0, 1, 1)[0]
    own = contrastive_loss(
        features,
        scribble,
        labels,
        everywhere,
        choices=SCNOptions(temperature=1.0, means_over="image"),
    )
    check(own, (2 * each + 0) / 3 + (2 * each + 0) / 3)


@pytest.mark.parametrize("mean", ["pixels", "classes"])
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("over", ["batch", "image"])  # the same for one image
def test_both_terms_follow_the_choices(mean: Any, normalise: bool, over: Any) -> None:
    features = pixels([3, 4], [0, 2], [1, 0], [5, 5], [1, 2], [2, 1])
    scribble, labels = row(0, 0, 1, 2, 2, 2), row(0, 0, 1, 1, 1, 0)
    everywhere = torch.ones_like(scribble, dtype=torch.bool)
    means, _ = class_means(features, scribble, 2, normalise=normalise)
    S = class_similarity(features, means, temperature=0.5, normalise=normalise)
    log_p = S.log_softmax(dim=1)
    first = scribble_contrast(log_p, scribble, mean=mean)
    second = pseudo_label_contrast(log_p, labels, everywhere, scribble, mean=mean)
    choices = SCNOptions(temperature=0.5, normalise=normalise, contrast_mean=mean, means_over=over)
    whole = contrastive_loss(features, scribble, labels, everywhere, classes=2, choices=choices)
    check(whole, float(first + second))


def test_the_contrast_of_features_in_half_precision_is_in_single() -> None:
    features = CONTRAST.to(torch.bfloat16)
    given = row(0, 1, K, K), row(0, 1, 1, 1), row(True, True, True, True)
    loss = contrastive_loss(features, *given)
    assert loss.dtype == torch.float32
    check(loss, float(contrastive_loss(features.float(), *given)))


def test_what_is_not_in_m_is_not_in_the_contrast() -> None:
    scribble, labels = row(0, 1, K, K), row(0, 1, 1, 1)
    loss = contrastive_loss(
        CONTRAST,
        scribble,
        labels,
        row(True, True, False, True),
        choices=SCNOptions(temperature=1.0),
    )
    # Pixel 2 (feature of class 0, label 1) would add -ln(1 / (e + 1)); only pixel 3 remains.
    each = -ln(math.e / (math.e + 1))
    check(loss, each + each)


@pytest.mark.parametrize("mean", ["pixels", "classes"])
def test_contrast_without_a_scribble_is_zero(mean: Any) -> None:
    features = CONTRAST.clone().requires_grad_()
    everywhere = row(True, True, True, True)
    loss = contrastive_loss(
        features,
        row(K, K, K, K),
        row(0, 1, 2, 3),
        everywhere,
        choices=SCNOptions(contrast_mean=mean),
    )
    assert loss.item() == 0
    loss.backward()
    assert features.grad is not None
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_detached_means_have_no_gradient_of_their_own() -> None:
    scribble, labels = row(0, 1, K, K), row(0, 1, 1, 1)
    trusted = row(False, False, False, True)
    gradients = []
    for detach in (False, True):
        features = FEATURES.clone().requires_grad_()
        contrastive_loss(
            features, scribble, labels, trusted, choices=SCNOptions(detach_means=detach)
        ).backward()
        assert features.grad is not None and torch.isfinite(features.grad).all()
        gradients.append(features.grad)
    assert not torch.allclose(*gradients)
