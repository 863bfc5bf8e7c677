"""The MongoDB adapter: `target` decides, `loading` and `whole` place collections, `codec` and `rows` fill them."""
