import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.report import Summary, _enlarge, exposed, stretch, write_animation, write_summary


def picture(level: float) -> np.ndarray:
    image = np.full((20, 20, 1), 0.2, np.float32)
    image[5:15, 5:15] = level
    return image


def test_a_render_too_bright_to_display_is_darkened_and_others_are_not():
    assert exposed(picture(5.0)).max() == 255
    assert exposed(picture(5.0))[0, 0] < exposed(picture(1.0))[0, 0]
    np.testing.assert_array_equal(exposed(picture(0.5))[0, 0], exposed(picture(0.9))[0, 0])


def test_a_stimulus_is_stretched_about_its_ground():
    grey = np.full((10, 10), 120.0)
    grey[4, 4], grey[5, 5] = 130.0, 115.0
    pixels = stretch(grey)
    assert pixels[0, 0] == 128
    assert pixels[4, 4] == 255
    assert pixels[5, 5] == 64
    assert stretch(np.full((4, 4), 7.0)).tolist() == [[128] * 4] * 4


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


def test_a_summary_of_no_steps_can_be_drawn(tmp_path):
    images, grey = {"initial": picture(0.5), "final": picture(0.5)}, np.zeros((20, 20))
    stimuli = {"initial": grey, "final": grey}
    write_summary(
        tmp_path / "s.png", Summary("", images, stimuli, [picture(1)] * 3, {"activation": []}, (0, 0), (0, 0), None)
    )
    assert (tmp_path / "s.png").stat().st_size > 10_000


def test_the_animation_holds_every_frame(tmp_path, read_video):
    frames = [(picture(level), np.full((20, 20), 100.0)) for level in (0.1, 0.5, 0.9, 1.0)]
    path = tmp_path / "progress.mp4"
    write_animation(path, frames, size=64)
    video = read_video(path, 64, 128)
    assert len(video) == 4
    middle = video[:, 32, 32, 0].astype(int)
    assert (np.diff(middle) > 10).all()


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
    write_animation(path, [(wide, np.full((20, 20 * views), 100.0))] * 2)
    height, width = iio.improps(path, plugin="FFMPEG").shape[1:3]
    assert width / height == pytest.approx(2 * views, rel=0.01) and width <= 4096
    assert height == {4: 320, 40: 48}[views]
    assert len(read_video(path, height, width)) == 2
