"""Text encoders: which layer is read, and where they wait."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from steering.models.encoders import TextEncoder, placed

CPU = torch.device("cpu")


class Spy(nn.Linear):
    """Says what an encoder of transformers says."""

    def forward(self, tokens, output_hidden_states):
        hidden = (tokens + 0.1, tokens + 0.2, tokens + 0.3) if output_hidden_states else None
        return SimpleNamespace(last_hidden_state=tokens + 0.4, hidden_states=hidden, text_embeds=tokens[:, :1])


@pytest.mark.parametrize(("layer", "added"), [("last", 0.4), ("penultimate", 0.2)])
def test_the_layer_that_the_unet_reads(layer, added):
    hidden, pooled = TextEncoder(None, Spy(1, 1), layer)(torch.zeros(2, 3), CPU)
    assert torch.equal(hidden, torch.full((2, 3), added))
    assert pooled.shape == (2, 1)


class Traveller(nn.Linear):
    """Notes where it is sent, and stays."""

    def __init__(self):
        super().__init__(1, 1)
        self.sent = []

    def to(self, device):
        self.sent.append(device)


def test_a_module_is_away_for_a_block_only():
    traveller, gpu = Traveller(), torch.device("cuda:3")
    with pytest.raises(KeyError), placed(traveller, gpu):
        assert traveller.sent == [gpu]
        raise KeyError
    assert traveller.sent == [gpu, CPU]
