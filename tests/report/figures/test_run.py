import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.io.images import common_exposure, to_srgb
from mitsuba_mei.report.figures.run import Summary, write_summary
from mitsuba_mei.report.video import STRIP, _enlarge, write_video


def picture(level: float) -> np.ndarray:
    image = np.full((20, 20, 1), 0.2, np.float32)
    image[5:15, 5:15] = level
    return image


def test_renders_side_by_side_are_darkened_alike_and_others_are_not():
    assert common_exposure([picture(0.5), picture(0.9)]) == 1
    bright = common_exposure([picture(5.0), picture(1.0)])
    assert to_srgb(bright * picture(5.0)).max() == 255 and bright == common_exposure([picture(5.0)])
    np.testing.assert_array_equal(to_srgb(bright * picture(5.0))[0, 0], to_srgb(bright * picture(1.0))[0, 0])


@pytest.mark.slow
@pytest.mark.parametrize("optimum", [None, 2.0])
def test_the_summary_figure_shows_every_part(tmp_path, optimum):
    path = tmp_path / "summary.png"
    history = {"activation": [0.1, 0.5, 1.0], "smoothness": [0.0, 0.1, 0.2]}
    grey = np.linspace(0, 255, 400).reshape(20, 20)
    images = {"initial": picture(0.5), "final": picture(3.0)}
    write_summary(
        path,
        Summary(
            "neuron 3",
            images,
            {"initial": grey, "final": grey},
            [picture(1)] * 3,
            history,
            "activation",
            (0.1, 0.01),
            (1, 0.02),
            optimum,
        ),
    )
    pixels = iio.imread(path)[..., :3]
    assert pixels.shape[0] > 600 and pixels.shape[1] > 1200
    # Seven pictures' and two plots' worth of ink, in each quarter of the figure.
    for quarter in (pixels[100:400, :700], pixels[100:400, 800:], pixels[450:, :700], pixels[450:, 800:]):
        assert (quarter < 200).any(axis=2).mean() > 0.02


@pytest.mark.slow
def test_a_summary_of_no_steps_can_be_drawn(tmp_path):
    images, grey = {"initial": picture(0.5), "final": picture(0.5)}, np.zeros((20, 20))
    stimuli = {"initial": grey, "final": grey}
    write_summary(
        tmp_path / "s.png", Summary("", images, stimuli, [picture(1)] * 3, {"activation": []}, "", (0, 0), (0, 0), None)
    )
    assert (tmp_path / "s.png").stat().st_size > 10_000


def test_the_video_holds_every_frame_and_a_line_below(tmp_path, read_video):
    frames = [(to_srgb(picture(level)), np.full((20, 20), 100, np.uint8)) for level in (0.1, 0.5, 0.9, 1.0)]
    path = tmp_path / "progress.mp4"
    write_video(path, frames, ("a render", "a stimulus: grey levels −4 to 221"), size=160)
    video = read_video(path, 160 + STRIP, 320)
    assert len(video) == 4
    middle = video[:, 80, 80, 0].astype(int)
    assert (np.diff(middle) > 10).all()
    for half in (video[:, 160:, :160], video[:, 160:, 160:]):
        assert (half > 240).mean() > 0.7 and (half < 120).mean() > 0.005


def test_pixels_are_repeated_and_keep_their_aspect():
    pixels = np.arange(8, dtype=np.uint8).reshape(2, 4)
    found = _enlarge(pixels, 32)
    assert found.shape == (32, 64, 3)
    np.testing.assert_array_equal(found[::16, ::16, 0], pixels)
    assert _enlarge(np.zeros((20, 60, 3), np.uint8), 320).shape == (320, 960, 3)
    assert _enlarge(np.zeros((64, 64), np.uint8), 32).shape == (32, 32, 3)


@pytest.mark.parametrize("views", [4, 40])
def test_a_video_of_many_views_can_be_written(tmp_path, read_video, views):
    wide = np.tile(picture(0.8), (1, views, 1))
    path = tmp_path / "progress.mp4"
    write_video(path, [(to_srgb(wide), np.full((20, 20 * views), 100, np.uint8))] * 2)
    height, width = iio.improps(path, plugin="FFMPEG").shape[1:3]
    assert width / (height - STRIP) == pytest.approx(2 * views, rel=0.01) and width <= 4096
    assert height - STRIP == {4: 320, 40: 48}[views]
    assert len(read_video(path, height, width)) == 2
