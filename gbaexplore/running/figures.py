"""A study file's figure: compute the missing points, then draw."""

from __future__ import annotations

from pathlib import Path

from gbaexplore.basics.errors import UserError, one_line
from gbaexplore.basics.places import check_writable, writing
from gbaexplore.running import runner
from gbaexplore.running.progress import Progress
from gbaexplore.store.stores import open_study
from gbaexplore.study.file import load_study_file


def make(
    name: str, store: Path, out: Path, workers: int | None = None, scheduler: str | None = None
) -> tuple[runner.Report, list[Path]]:
    """Draw a study file's figure; return the run's report and the paths of the pictures, PNG and SVG.

    Raises:
        UserError: as `load_study_file` and `run` do; the file draws nothing; `out` can't be written to.
    """
    file = load_study_file(name)
    if file.draw is None:
        raise UserError(f"{file.path} has no figure; expected `def draw(ds)` that returns a matplotlib Figure")
    pictures = [out / f"{file.study.name}.{ending}" for ending in ("png", "svg")]
    check_writable(pictures[0])  # before the long part
    report = runner.execute(file.study, store, workers, scheduler, progress=Progress)

    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.use("agg")  # pictures go to files, and there may be no display
    try:
        figure = file.draw(open_study(report.path))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"draw of {file.path} raised {one_line(error)}; fix it: the results are kept") from error
    if not isinstance(figure, Figure):
        raise UserError(f"draw of {file.path} returned {type(figure).__name__}; expected a matplotlib Figure")
    with writing(out, "choose another --out"):
        out.mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            figure.savefig(picture, dpi=200)
    return report, pictures
