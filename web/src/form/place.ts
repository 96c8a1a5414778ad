import type { UseFormReturnType } from '@mantine/form';
import { type ComponentType, createContext, useContext } from 'react';
import type { Schema, Values } from '../model/schema';

export type Form = UseFormReturnType<Values>;

export type FieldProps = { form: Form; schema: Schema; path: string[]; required: boolean; bare?: boolean };

/** Where a form is: its connection, from which references and catalogs are chosen. */
export type Place = { connection: string; owner: string };

/** Refinements are inputs that do more for one field than its schema tells, by owner and path. */
export type Refinements = Record<string, ComponentType<FieldProps>>;

export const PlaceContext = createContext<Place & { refinements: Refinements }>({
  connection: '',
  owner: '',
  refinements: {},
});
export const usePlace = () => useContext(PlaceContext);
