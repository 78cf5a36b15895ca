from steering.study.pool import ALONE, Bench


def test_alone_means_one_after_the_other_and_each_is_kept_before_the_next(toy_model):
    done: list[str] = []

    class Said:
        rows = 1

        def __init__(self, name):
            self.name = name
            done.append(f"made {name}")

        def do(self, bench, progress):
            progress(self.rows)
            return f"did {self.name}"

    tasks = {name: lambda name=name: Said(name) for name in "ab"}
    rows: list[int] = []
    ALONE.do(Bench(toy_model, []), tasks, lambda name, value: done.append(f"kept {name}: {value}"), rows.append)
    assert done == ["made a", "kept a: did a", "made b", "kept b: did b"]
    assert rows == [1, 1]
