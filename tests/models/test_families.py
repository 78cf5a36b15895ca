from steering.models.families import defaults_of


def test_an_unknown_family_is_taken_for_stable_diffusion_1_5():
    assert defaults_of("something else") == defaults_of("sd15")
    assert (defaults_of("sd15").guidance, defaults_of("sd15").size) == (7.5, 512)
    assert defaults_of("pocket") != defaults_of("sd15")
