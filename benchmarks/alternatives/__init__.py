"""kvlayer against what people would use instead, where it does the same work.

- `contender`: what each of them is asked to do
- `rows`: what they are given
- `measuring`: rounds in which those take turns whose rows are equally safe
- `groups`: who is compared with whom
- one module for each library
"""
