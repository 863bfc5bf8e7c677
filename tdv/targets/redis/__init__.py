"""The Redis adapter: `target` decides, `loading` and `images` put rows in place, `codec` and `rows` move them."""
