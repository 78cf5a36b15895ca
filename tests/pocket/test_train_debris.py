import numpy as np
import pytest
import torch
from PIL import Image

from steering.pocket.judge import LABELS, both_sides, load_judge
from steering.pocket.tensors import to_tensor
from steering.pocket.train_debris import FIXED, agree, begun, labels_of, moved, train
from steering.pocket.train_evaluators import judge_examples


@pytest.fixture(scope="module")
def rendered():
    return torch.from_numpy(judge_examples(0, 40)["pictures"])


def test_it_begins_with_what_the_judge_knows_of_rendered_scenes(rendered):
    images = to_tensor(rendered.numpy())
    with torch.no_grad():
        torch.testing.assert_close(begun(load_judge())(images)[:, 0], load_judge()(images)[:, LABELS.index("debris")])


def test_moved_pictures_keep_their_shape_and_range_and_are_not_all_the_same():
    torch.manual_seed(0)
    images = 2 * torch.rand(1, 3, 32, 32).repeat(20, 1, 1, 1) - 1
    found = moved(images)
    assert found.shape == images.shape
    assert found.min() >= -1
    assert found.max() <= 1
    assert len({tuple(one.flatten().tolist()) for one in found}) == 20
    # On average they are as bright as before: a shift of the light by .06 over twenty pictures and three colours.
    assert (found.mean() - images.mean()).abs() < 4 * 0.06 / np.sqrt(60) + 0.02


def test_it_learns_what_labels_say_and_leaves_the_first_layers_alone(rendered):
    torch.manual_seed(0)
    judge = load_judge()
    before = {name: value.clone() for name, value in judge.state_dict().items()}
    red = torch.arange(40) % 2 == 0  # a flaw that no rendered scene has
    pictures = torch.where(
        red[:, None, None, None], rendered // 4 + torch.tensor([190, 0, 0], dtype=torch.uint8), rendered
    )
    images = to_tensor(pictures.numpy())
    network = train(judge, pictures, red.float(), 25)
    with torch.no_grad():
        then, now = begun(judge)(images)[:, 0], network(images)[:, 0]
    assert (now[red].mean() - now[~red].mean()) > (then[red].mean() - then[~red].mean()) + 1
    for name, value in network.state_dict().items():
        own = before[name][-1:] if name.startswith("head") else before[name]
        fixed = "running" in name or (name.startswith("features") and int(name.split(".")[1]) < FIXED)
        assert torch.equal(value, own) == fixed or "num_batches" in name
    assert all(torch.equal(value, before[name]) for name, value in judge.state_dict().items())


@pytest.mark.parametrize("share", [0.8, 0.9, 1.0])
def test_both_together_call_as_many_broken_as_the_eye_does(rendered, share):
    judge, network = load_judge(), begun(load_judge())
    torch.nn.init.normal_(network.head.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    images = to_tensor(rendered.numpy())
    alone = both_sides(judge, images)[:, -1] > 0
    agree(network, judge, rendered, share)
    broken = alone | (both_sides(network, images)[:, 0] > 0)
    assert 0.3 < alone.float().mean() < 0.75  # so that what is left to the network is more than none and less than all
    assert broken.float().mean() == pytest.approx(share, abs=1 / len(rendered))


def test_a_table_gives_its_pictures_and_the_labels_of_both_passes(tmp_path):
    cells = np.zeros((128, 3 * 128, 3), np.uint8)
    Image.fromarray(cells).save(tmp_path / "some.webp")
    (tmp_path / "some.csv").write_text("broken,broken_again\n0,0\n1,2\n", encoding="utf-8")
    pictures, given = labels_of(tmp_path, "some")
    assert len(pictures) == 2  # the white cell at the end is none
    assert given.tolist() == [[0, 0], [1, 2]]
