"""Files, images, downloads and memory."""
