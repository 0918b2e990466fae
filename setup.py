"""What pyproject.toml can't say: the part that is compiled."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "kvlayer._key_accelerator",
            ["src/kvlayer/_key_accelerator.c"],
            optional=True,  # without a compiler the same is done in Python
        )
    ]
)
