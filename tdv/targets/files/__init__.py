"""The files adapter: `target` decides, `formats` write and read, `swap` puts directories in place."""
